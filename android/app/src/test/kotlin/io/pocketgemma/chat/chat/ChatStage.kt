package io.pocketgemma.chat.chat

import android.view.KeyEvent
import android.view.View
import android.widget.EditText
import android.widget.PopupMenu
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import org.junit.Assert.assertTrue
import org.robolectric.shadows.ShadowPopupMenu

/** The chat page with recording stores, and the actions of tests on it. */
internal object ChatStage {
    val tuned = Selection(SampleLibrary.tuned.id)
    val ready = ModelState.Ready(tuned, Backend.CPU)
    val nothing = ChatState(conversation = 1, loaded = true)

    fun stage(
        chat: ChatState,
        model: ModelState = ready,
        library: LibraryState = SampleLibrary.state,
        settings: Settings = Settings(),
    ): PageStage {
        val stores = RecordingStores(library, settings)
        stores.chat.become(chat)
        stores.model.dispatch(ModelEvent.Changed(model))
        return PageStage(stores, ::ChatPage)
    }

    val PageStage.events get() = stores.chat.events.filter { it !is ChatEvent.Scrolled }
    val PageStage.input get() = find<EditText>(R.id.input)
    val PageStage.rows get() = children(R.id.messages)

    fun View.words(id: Int): String? = findViewById<TextView>(id)?.takeIf { it.isShown }?.text?.toString()

    fun View.has(id: Int): Boolean = findViewById<View>(id)?.isShown == true

    fun PageStage.type(text: String) {
        input.setText(text)
        input.setSelection(text.length)
        settle()
    }

    fun menu(): PopupMenu = requireNotNull(ShadowPopupMenu.getLatestPopupMenu()) { "no menu is open" }

    fun PageStage.choose(title: String) {
        val menu = menu().menu
        val item = (0 until menu.size()).map(menu::getItem).single { it.title == title }
        assertTrue("$title is off", item.isEnabled && menu.performIdentifierAction(item.itemId, 0))
        settle()
    }

    fun PageStage.press(key: Int, meta: Int = 0, flags: Int = 0) {
        input.requestFocus()
        input.dispatchKeyEvent(KeyEvent(0, 0, KeyEvent.ACTION_DOWN, key, 0, meta, 0, 0, flags))
        settle()
    }
}
