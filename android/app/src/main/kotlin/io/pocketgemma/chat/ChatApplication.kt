package io.pocketgemma.chat

import android.app.Application
import android.os.Handler
import android.os.Looper
import io.pocketgemma.chat.chat.ChatStore
import io.pocketgemma.chat.chat.MainThread
import io.pocketgemma.chat.chat.ModelSource
import io.pocketgemma.chat.model.AppModelSource
import java.util.concurrent.Executors

/** Holds the chat for as long as the process lives: the model is loaded once, whatever happens to the screen. */
class ChatApplication : Application() {
    /** Where the model comes from. A test puts its own here before the first screen. */
    var source: ModelSource? = null

    private val created = lazy { ChatStore(source ?: AppModelSource(this), Executors.newSingleThreadExecutor(), HandlerThread) }

    val store: ChatStore by created

    override fun onTerminate() {
        if (created.isInitialized()) store.close()
        super.onTerminate()
    }

    private object HandlerThread : MainThread {
        private val handler = Handler(Looper.getMainLooper())

        override fun post(delayMillis: Long, task: () -> Unit) {
            handler.postDelayed(task, delayMillis)
        }
    }
}
