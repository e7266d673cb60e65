package io.pocketgemma.chat.journey

import dalvik.system.BlockGuard
import java.io.File
import java.util.concurrent.ConcurrentHashMap
import java.util.zip.ZipFile

/**
 * Watches the thread that it is created on, the main thread, for what must not happen there:
 * - files: each query, read, write, and deletion of a file that the app causes (by Java's security manager, if available);
 * - database and preferences: each statement and each first read (by Android's own guard, which StrictMode uses, too);
 * - the runtime: calls of the native library that last longer than the time between two samples of the thread.
 *
 * @param isApp recognizes the app's own classes by their name.
 * @param isRuntimeClass recognizes the classes whose native methods call the runtime.
 */
class MainThreadMonitor(
    private val isApp: (String) -> Boolean = appClasses::contains,
    private val isRuntimeClass: (String) -> Boolean = { it.startsWith("io.pocketgemma.chat.runtime.") },
) : AutoCloseable {
    private val thread = Thread.currentThread()
    private val violations = ConcurrentHashMap.newKeySet<String>()
    private val policyBefore = BlockGuard.getThreadPolicy()
    private val managerBefore = FileWatch.present()
    @Volatile private var watching = true
    private val sampler = Thread(::sample, "main thread monitor").apply { isDaemon = true }

    /** The findings without duplicates: what happened, and the app's methods that led to it. */
    val found: List<String> get() = violations.sorted()

    init {
        if (FileWatch.IS_POSSIBLE) FileWatch.install(FileWatch(thread, ::seen))
        guard()
        sampler.start()
    }

    /** Again, after an app set a policy of its own (as this one does when it is debuggable). */
    fun guard() {
        if (BlockGuard.getThreadPolicy() !is Guard) BlockGuard.setThreadPolicy(Guard())
    }

    fun isWatching(type: Class<*>): Boolean = isApp(type.name)

    override fun close() {
        watching = false
        sampler.join()
        BlockGuard.setThreadPolicy(policyBefore)
        if (FileWatch.IS_POSSIBLE) FileWatch.install(managerBefore)
    }

    private fun seen(what: String) {
        val frames = Throwable().stackTrace.dropWhile { it.className.startsWith(MainThreadMonitor::class.java.packageName) && !isApp(it.className) }
        val cause = frames.indexOfFirst { isApp(it.className) }
        if (cause < 0 || frames.take(cause).any { frame -> PLATFORM.any(frame.className::startsWith) }) return
        val chain = frames.filter { isApp(it.className) }.take(FRAMES).joinToString(" < ") { "${it.className}.${it.methodName}" }
        violations += "$what: $chain"
    }

    private fun sample() {
        while (watching) {
            Thread.sleep(SAMPLE_MILLIS)
            val top = thread.stackTrace.firstOrNull() ?: continue
            if (top.isNativeMethod && isRuntimeClass(top.className)) violations += "calls the runtime: ${top.className}.${top.methodName}"
        }
    }

    private inner class Guard : BlockGuard.Policy {
        override fun onWriteToDisk() = seen("writes to the database or the preferences")

        override fun onReadFromDisk() = seen("reads the database or the preferences")

        override fun onNetwork() = seen("uses the network")

        override fun onUnbufferedIO() = Unit

        override fun onExplicitGc() = Unit

        override fun getPolicyMask() = 0
    }

    private companion object {
        const val SAMPLE_MILLIS = 2L
        const val FRAMES = 4

        /** Code between the app and a file if the platform reads its own files: classes, layouts, fonts, languages. */
        val PLATFORM = listOf(
            "java.lang.ClassLoader", "java.net.URLClassLoader", "jdk.internal.loader.", "java.lang.invoke.", "org.robolectric.internal.",
            "java.util.ServiceLoader", "java.util.ResourceBundle", "sun.util.", "android.content.res.", "android.graphics.", "android.icu.",
        )

        /** The names of the classes in the folder or the jar that the app runs from. */
        val appClasses: Set<String> by lazy {
            val app = File(requireNotNull(System.getProperty("pocketgemma.test.app")))
            val paths = if (app.isDirectory) {
                app.walk().map { it.relativeTo(app).path }.toList()
            } else {
                ZipFile(app).use { jar -> jar.entries().asSequence().map { it.name }.toList() }
            }
            paths.filter { it.endsWith(".class") }.map { it.removeSuffix(".class").replace('/', '.') }.toSet()
        }
    }
}
