// Java's security manager is on its way out, but nothing else tells of every access to a file.
@file:Suppress("DEPRECATION", "removal")

package io.pocketgemma.chat.journey

import java.io.FileDescriptor
import java.security.Permission

/** Allows everything, and tells of each access to a file by [thread]. */
internal class FileWatch(private val thread: Thread, private val seen: (String) -> Unit) : SecurityManager() {
    // Telling may itself look at files.
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
        /** False on a Java that has no security manager any more, or was not asked to allow one. */
        val IS_POSSIBLE: Boolean = System.getProperty("java.security.manager") == "allow"

        fun present(): SecurityManager? = System.getSecurityManager()

        fun install(manager: SecurityManager?) = System.setSecurityManager(manager)
    }
}
