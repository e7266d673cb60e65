package io.pocketgemma.chat

import android.app.Application
import android.content.ComponentCallbacks2
import android.content.pm.ApplicationInfo
import android.os.Handler
import android.os.Looper
import android.os.StrictMode
import io.pocketgemma.chat.store.MainThread

/** Holds the stores for the lifetime of the process, independently of the activity. Main thread only. */
class ChatApplication : Application(), StoresOwner {
    private var container: AppContainer? = null

    /** Replaces the models and their files. For tests, before the first screen. */
    var models: Models? = null

    /** Created when the first screen needs them. */
    override val stores: Stores
        get() = (container ?: AppContainer(this, models ?: Models.real(this), HandlerThread).also { container = it }).stores

    override fun onCreate() {
        super.onCreate()
        if (applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0) {
            StrictMode.setThreadPolicy(StrictMode.ThreadPolicy.Builder().detectAll().penaltyLog().build())
        }
        // Android may end a process that is in the background without further notice.
        registerActivityLifecycleCallbacks(ActivityStopCallbacks { container?.save() })
    }

    /**
     * Frees the model when Android reports that this process is next to be ended for its memory and, up to Android 13, when memory runs
     * critically low while the app is in the foreground. Keeps it when the app merely goes to the background or memory gets scarce: most of
     * it are pages of the model file, which the system reclaims by itself, and loading the model again takes seconds.
     */
    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        @Suppress("DEPRECATION")
        val critical = level == ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL
        if (critical || level >= ComponentCallbacks2.TRIM_MEMORY_BACKGROUND) container?.stores?.model?.release()
    }

    /** The oldest callback for low memory. */
    @Deprecated("Its newer form is no longer called while the app is in front; this one still is.")
    override fun onLowMemory() {
        @Suppress("DEPRECATION")
        super.onLowMemory()
        container?.stores?.model?.release()
    }

    override fun onTerminate() {
        container?.close()
        super.onTerminate()
    }

    private object HandlerThread : MainThread {
        private val handler = Handler(Looper.getMainLooper())

        override fun post(delayMillis: Long, task: () -> Unit) {
            handler.postDelayed(task, delayMillis)
        }
    }
}
