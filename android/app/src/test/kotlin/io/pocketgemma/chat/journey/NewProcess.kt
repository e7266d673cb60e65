package io.pocketgemma.chat.journey

import android.app.ActivityThread
import android.app.Application
import android.app.Instrumentation
import android.os.Environment
import android.os.Looper
import java.io.File
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/**
 * The app's process ends and another begins, as far as one JVM can simulate it: a new application finds the files as the old one left them.
 */
internal object NewProcess {
    /** [leave]: called in the old process after its files were saved, so that the new one finds nothing that is done there. */
    fun start(leave: () -> Unit) {
        val old = RuntimeEnvironment.getApplication()
        val places = listOf(File(old.applicationInfo.dataDir), Environment.getExternalStorageDirectory())
        val kept = places.filter { it.isDirectory }.associateWith { place ->
            createTempDir(place.name).also { copy -> place.copyRecursively(copy, overwrite = true, onError = { _, _ -> OnErrorAction.SKIP }) }
        }
        leave()
        old.onTerminate()
        shadowOf(Looper.getMainLooper()).idle()
        for ((place, copy) in kept) {
            // New files: the old process may still write to those that it has open.
            place.listFiles().orEmpty().forEach { it.deleteRecursively() }
            copy.copyRecursively(place, overwrite = true)
            copy.deleteRecursively()
        }
        begin(old)
    }

    private fun createTempDir(name: String): File = kotlin.io.path.createTempDirectory(name).toFile()

    private fun begin(old: Application) {
        val new = Instrumentation.newApplication(old.javaClass, old.baseContext)
        set(ActivityThread.currentActivityThread(), "mInitialApplication", new)
        set(old.mLoadedApk, "mApplication", new)
        RuntimeEnvironment.application = new
        new.onCreate()
    }

    private fun set(target: Any, field: String, value: Any) {
        target.javaClass.getDeclaredField(field).apply { isAccessible = true }.set(target, value)
    }
}
