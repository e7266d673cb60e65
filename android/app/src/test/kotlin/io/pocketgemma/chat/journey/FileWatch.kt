// Java's security manager is deprecated, but nothing else reports every file access.
@file:Suppress("DEPRECATION", "removal")

package io.pocketgemma.chat.journey

import java.io.FileDescriptor
import java.security.Permission

/** Allows everything, and reports each file access by [thread]. */
internal class FileWatch(private val thread: Thread, private val seen: (String) -> Unit) : SecurityManager() {
    // Reporting may itself access files.
    private var telling = false

    override fun checkPermission(permission: Permission) = Unit

    override fun checkPermission(permission: Permission, context: Any) = Unit

    override fun checkRead(file: String) = tell("looks at $file")

    override fun checkRead(file: String, context: Any) = tell("looks at $file")

    override fun checkRead(file: FileDescriptor) = Unit

    override fun checkWrite(file: String) = tell("writes $file")

    override fun checkWrite(file: FileDescriptor) = Unit

    override fun checkDelete(file: String) = tell("deletes $file")

    private fun tell(what: String) {
        if (Thread.currentThread() !== thread || telling) return
        telling = true
        try {
            seen(what)
        } finally {
            telling = false
        }
    }

    companion object {
        /** False on a Java version without a security manager, or if it is not allowed. */
        val IS_POSSIBLE: Boolean = System.getProperty("java.security.manager") == "allow"

        fun present(): SecurityManager? = System.getSecurityManager()

        fun install(manager: SecurityManager?) = System.setSecurityManager(manager)
    }
}
