package io.pocketgemma.chat.ui

import android.app.Activity
import android.os.Build
import android.os.Bundle
import android.view.View
import android.window.OnBackInvokedCallback
import android.window.OnBackInvokedDispatcher
import io.pocketgemma.chat.ChatApplication
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.chat.ChatStore

/** The only activity: the chat, and the page about the model over it. */
class MainActivity : Activity() {
    private lateinit var store: ChatStore
    private lateinit var chat: View
    private lateinit var about: View
    private lateinit var observer: (ChatState) -> Unit
    private var onBack: Any? = null

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setContentView(R.layout.main)
        val root = findViewById<View>(R.id.root)
        EdgeToEdge.apply(this, root)
        chat = findViewById(R.id.chat)
        about = findViewById(R.id.about)
        store = (application as ChatApplication).store
        saved?.let { store.dispatch(ChatEvent.Restore(SavedChat.read(it))) }

        val texts = Texts(this)
        val chatScreen = ChatScreen(root, texts, store::dispatch)
        val aboutScreen = AboutScreen(root, texts)
        findViewById<View>(R.id.open_about).setOnClickListener { showAbout(true) }
        findViewById<View>(R.id.close_about).setOnClickListener { showAbout(false) }
        showAbout(saved?.getBoolean(ABOUT_SHOWN) == true)
        observer = { state ->
            chatScreen.render(state)
            aboutScreen.render(state.manifest)
        }
        store.observer = observer
    }

    override fun onSaveInstanceState(bundle: Bundle) {
        super.onSaveInstanceState(bundle)
        SavedChat.write(bundle, store.state.messages)
        bundle.putBoolean(ABOUT_SHOWN, about.visibility == View.VISIBLE)
    }

    override fun onDestroy() {
        // Unless another instance has taken over already.
        if (store.observer === observer) store.observer = null
        super.onDestroy()
    }

    @Deprecated("Called by Android 12 and older; newer ones call what showAbout registers.")
    override fun onBackPressed() {
        if (about.visibility == View.VISIBLE) {
            showAbout(false)
        } else {
            @Suppress("DEPRECATION")
            super.onBackPressed()
        }
    }

    private fun showAbout(shown: Boolean) {
        about.visibility = if (shown) View.VISIBLE else View.GONE
        // Out of reach of TalkBack and the keyboard while it is covered.
        chat.visibility = if (shown) View.INVISIBLE else View.VISIBLE
        // Or the first text that can be selected would take the focus, and the page would open scrolled down to it.
        if (shown) about.requestFocus()
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) watchBack(shown)
    }

    private fun watchBack(watch: Boolean) {
        (onBack as? OnBackInvokedCallback)?.let(onBackInvokedDispatcher::unregisterOnBackInvokedCallback)
        onBack = null
        if (!watch) return
        val callback = OnBackInvokedCallback { showAbout(false) }
        onBackInvokedDispatcher.registerOnBackInvokedCallback(OnBackInvokedDispatcher.PRIORITY_DEFAULT, callback)
        onBack = callback
    }

    private companion object {
        const val ABOUT_SHOWN = "about"
    }
}
