package io.pocketgemma.chat

import android.app.Activity
import android.content.Intent
import android.os.Build
import android.os.Bundle
import android.view.KeyEvent
import android.view.KeyboardShortcutGroup
import android.view.KeyboardShortcutInfo
import android.view.Menu
import android.view.ViewGroup
import android.window.OnBackInvokedCallback
import android.window.OnBackInvokedDispatcher
import io.pocketgemma.chat.chat.newChat
import io.pocketgemma.chat.export.Export
import io.pocketgemma.chat.history.HistoryNotices
import io.pocketgemma.chat.ui.EdgeToEdge
import io.pocketgemma.chat.ui.NoticeBar
import io.pocketgemma.chat.ui.PageStack
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.Watch

/** The only activity: shows a stack of pages and starts the system's pickers. Its state is in the stores. */
class MainActivity : Activity(), Shell {
    private lateinit var stores: Stores
    private lateinit var pages: PageStack
    private lateinit var notices: NoticeBar
    private lateinit var documents: DocumentActions
    private lateinit var historyNotices: HistoryNotices
    private val watch = Watch()
    private var onBack: Any? = null
    private var started = false

    override fun onCreate(saved: Bundle?) {
        super.onCreate(saved)
        setContentView(R.layout.main)
        EdgeToEdge.apply(this, findViewById(R.id.root))
        stores = (application as StoresOwner).stores
        notices = NoticeBar(findViewById(R.id.notice))
        documents = DocumentActions(this, this, lastNonConfigurationInstance as? Export) { stores.library.dispatch(it) }
        historyNotices = HistoryNotices(stores.history, this, resources)
        val container = findViewById<ViewGroup>(R.id.pages)
        pages = PageStack(container, saved?.getStringArray(OPEN_PAGES)) { page(it, container, stores, this) }
        watchBack()
    }

    override fun onStart() {
        super.onStart()
        started = true
        pages.show()
        watch.on(stores.history, historyNotices::show)
    }

    override fun onStop() {
        watch.close()
        pages.hide()
        started = false
        super.onStop()
    }

    override fun onDestroy() {
        notices.leave()
        super.onDestroy()
    }

    override fun onSaveInstanceState(bundle: Bundle) {
        super.onSaveInstanceState(bundle)
        bundle.putStringArray(OPEN_PAGES, pages.saved())
    }

    @Deprecated("What a rotation must not lose here is the one text that waits for a place to be saved to.")
    override fun onRetainNonConfigurationInstance(): Any? = documents.waiting

    override fun open(screen: Screen) {
        pages.open(screen, visible = started)
        watchBack()
    }

    override fun back() {
        pages.back(visible = started)
        watchBack()
    }

    override fun pickFile() = documents.pick()

    override fun share(text: String, title: String) = documents.share(text, title)

    override fun share(export: Export) = documents.share(export)

    override fun save(export: Export) = documents.save(export)

    override fun copy(text: String) = documents.copy(text)

    override fun notice(text: String, action: String?, gone: () -> Unit, act: () -> Unit) = notices.show(text, action, gone, act)

    @Deprecated("The system's pickers answer here; the newer way is not in the framework.")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        documents.answer(request, data?.data.takeIf { result == RESULT_OK })
    }

    @Deprecated("Called by Android 12 and older; newer ones call what watchBack registers.")
    override fun onBackPressed() {
        if (pages.isAtRoot) {
            @Suppress("DEPRECATION")
            super.onBackPressed()
        } else {
            back()
        }
    }

    override fun onKeyUp(key: Int, event: KeyEvent): Boolean {
        if (key != KeyEvent.KEYCODE_ESCAPE) return super.onKeyUp(key, event)
        // Escape closes what is open, but does not leave the app.
        back()
        return true
    }

    override fun onKeyShortcut(key: Int, event: KeyEvent): Boolean {
        if (key != KeyEvent.KEYCODE_N || !event.isCtrlPressed) return super.onKeyShortcut(key, event)
        stores.chat.newChat()
        open(Screen.CHAT)
        return true
    }

    override fun onProvideKeyboardShortcuts(groups: MutableList<KeyboardShortcutGroup>, menu: Menu?, device: Int) {
        super.onProvideKeyboardShortcuts(groups, menu, device)
        val newChat = KeyboardShortcutInfo(getString(R.string.new_chat), KeyEvent.KEYCODE_N, KeyEvent.META_CTRL_ON)
        groups += KeyboardShortcutGroup(getString(R.string.app_name), listOf(newChat))
    }

    /** From Android 13, apps register in advance for the back gesture; on the chat page, the system handles it. */
    private fun watchBack() {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU || pages.isAtRoot == (onBack == null)) return
        if (pages.isAtRoot) {
            onBackInvokedDispatcher.unregisterOnBackInvokedCallback(onBack as OnBackInvokedCallback)
            onBack = null
        } else {
            val callback = OnBackInvokedCallback { back() }
            onBackInvokedDispatcher.registerOnBackInvokedCallback(OnBackInvokedDispatcher.PRIORITY_DEFAULT, callback)
            onBack = callback
        }
    }

    private companion object {
        const val OPEN_PAGES = "pages"
    }
}
