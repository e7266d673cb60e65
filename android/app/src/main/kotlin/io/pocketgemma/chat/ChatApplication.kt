package io.pocketgemma.chat

import android.app.Application
import android.content.ComponentCallbacks2
import android.content.pm.ApplicationInfo
import android.os.Handler
import android.os.Looper
import android.os.StrictMode
import io.pocketgemma.chat.store.MainThread

/** Holds the stores for as long as the process lives, whatever happens to the screen. Main thread only. */
class ChatApplication : Application(), StoresOwner {
    private var composition: Composition? = null

    /** Takes the place of the models and their files. For tests, before the first screen. */
    var models: Models? = null

    /** Made when the first screen wants them. */
    override val stores: Stores
        get() = (composition ?: Composition(this, models ?: Models.real(this), HandlerThread).also { composition = it }).stores

    override fun onCreate() {
        super.onCreate()
        if (applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0) {
            StrictMode.setThreadPolicy(StrictMode.ThreadPolicy.Builder().detectAll().penaltyLog().build())
        }
        // Android may end a process that is not on the screen without another word.
        registerActivityLifecycleCallbacks(WhenStopped { composition?.save() })
    }

    /**
     * The model goes when Android says that it may end this process next for its memory, and when it says, up to Android 13, that the phone
     * runs out of memory while the app is in front. It stays when the app merely leaves the screen or memory gets scarce: most of it are
     * pages of the model's file, which the system takes back by itself, and loading it again takes seconds.
     */
    override fun onTrimMemory(level: Int) {
        super.onTrimMemory(level)
        @Suppress("DEPRECATION")
        val critical = level == ComponentCallbacks2.TRIM_MEMORY_RUNNING_CRITICAL
        if (critical || level >= ComponentCallbacks2.TRIM_MEMORY_BACKGROUND) composition?.stores?.model?.release()
    }

    /** The oldest way to say that memory runs out. */
    @Deprecated("Its newer form is no longer called while the app is in front; this one still is.")
    override fun onLowMemory() {
        @Suppress("DEPRECATION")
        super.onLowMemory()
        composition?.stores?.model?.release()
    }

    override fun onTerminate() {
        composition?.close()
        super.onTerminate()
    }

    private object HandlerThread : MainThread {
        private val handler = Handler(Looper.getMainLooper())

        override fun post(delayMillis: Long, task: () -> Unit) {
            handler.postDelayed(task, delayMillis)
        }
    }
}
