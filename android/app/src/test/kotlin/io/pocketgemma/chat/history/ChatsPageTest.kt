package io.pocketgemma.chat.history

import android.app.AlertDialog
import android.app.Application
import android.content.DialogInterface
import android.view.View
import android.widget.EditText
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.export.ExportFormat
import io.pocketgemma.chat.export.ExportTarget
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.page
import io.pocketgemma.chat.ui.Screen
import java.util.Calendar
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog
import org.robolectric.shadows.ShadowPopupMenu

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class ChatsPageTest {
    private val noon = Calendar.getInstance().apply {
        set(Calendar.HOUR_OF_DAY, 12)
        set(Calendar.MINUTE, 0)
    }.timeInMillis
    private val day = 86_400_000L
    private val gold = ConversationListItem(1, "Gold", "It weighs 197.", noon, 4)
    private val cobalt = ConversationListItem(2, "Cobalt", "Element 27.", noon - day, 2)
    private val old = ConversationListItem(3, "Old", "Long ago.", noon - 40 * day, 2)
    private val state = HistoryState(loaded = true, conversations = listOf(gold, cobalt, old))

    private fun stage(history: HistoryState = state): PageStage {
        val stores = RecordingStores(SampleLibrary.state)
        stores.history.become(history)
        return PageStage(stores) { parent, all, shell -> page(Screen.CHATS, parent, all, shell) }
    }

    private val PageStage.events get() = stores.history.events.filter { it != HistoryEvent.Refresh }

    private fun PageStage.row(index: Int): View = children(R.id.chat_list)[index]

    private fun View.words(id: Int) = findViewById<TextView>(id).text.toString()

    private fun PageStage.choose(index: Int, title: String) {
        click(row(index).findViewById<View>(R.id.chat_more))
        val menu = ShadowPopupMenu.getLatestPopupMenu().menu
        assertTrue(menu.performIdentifierAction((0 until menu.size()).map(menu::getItem).single { it.title == title }.itemId, 0))
        settle()
    }

    @Test
    fun `every conversation stands with its name, its end and its day`() {
        val stage = stage()
        assertEquals(listOf("Gold", "Cobalt", "Old"), (0..2).map { stage.row(it).words(R.id.chat_title) })
        assertEquals("It weighs 197.", stage.row(0).words(R.id.chat_snippet))
        val weekday = listOf("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
        assertTrue(stage.row(0).words(R.id.chat_date), ":00" in stage.row(0).words(R.id.chat_date))
        assertTrue(stage.row(1).words(R.id.chat_date), stage.row(1).words(R.id.chat_date) in weekday)
        assertTrue(stage.row(2).words(R.id.chat_date), stage.row(2).words(R.id.chat_date).any { it.isDigit() })
        assertEquals(HistoryEvent.Refresh, stage.stores.history.events.first())
    }

    @Test
    fun `the open one is marked, to the eye and to the ear`() {
        val stage = stage()
        assertEquals(listOf(true, false, false), (0..2).map { stage.row(it).findViewById<View>(R.id.chat_row).isActivated })
        assertTrue(stage.row(0).findViewById<View>(R.id.chat_row).contentDescription.startsWith("Currently open"))
    }

    @Test
    fun `a tap opens it`() {
        val stage = stage()
        stage.click(stage.row(1).findViewById<View>(R.id.chat_row))
        assertEquals(listOf<ChatEvent>(ChatEvent.Open(2)), stage.stores.chat.events)
        assertEquals(listOf(Screen.CHAT), stage.shell.opened)
    }

    @Test
    fun `a long press opens the same menu as the button`() {
        val stage = stage()
        assertTrue(stage.row(1).findViewById<View>(R.id.chat_row).performLongClick())
        assertEquals(5, ShadowPopupMenu.getLatestPopupMenu().menu.size())
    }

    @Test
    fun `what is typed is searched for, and nothing found is said`() {
        val stage = stage()
        stage.find<EditText>(R.id.search).setText("lead")
        assertEquals(listOf<HistoryEvent>(HistoryEvent.Search("lead")), stage.events)
        stage.stores.history.become(HistoryState(loaded = true, query = "lead"))
        stage.settle()
        assertEquals(stage.string(R.string.nothing_found), stage.text(R.id.no_chats))
        assertTrue(stage.isShown(R.id.no_chats))
        assertTrue("the search is what goes first", stage.page.back())
        assertEquals(HistoryEvent.Search(""), stage.events.last())
        stage.stores.history.become(HistoryState(loaded = true))
        assertEquals(stage.string(R.string.no_chats), stage.text(R.id.no_chats))
        assertFalse(stage.page.back())
    }

    @Test
    fun `before the list was read it is not said to be empty`() = assertFalse(stage(HistoryState()).isShown(R.id.no_chats))

    @Test
    fun `a conversation is renamed, exported and shared from its menu`() {
        val stage = stage()
        stage.choose(1, "Rename")
        val dialog = ShadowAlertDialog.getLatestAlertDialog() as AlertDialog
        dialog.findViewById<EditText>(R.id.title_field).setText("Kobold")
        dialog.getButton(DialogInterface.BUTTON_POSITIVE).performClick()
        stage.settle()
        stage.choose(1, "Export as Markdown")
        stage.choose(1, "Export as text")
        stage.choose(1, "Share")
        assertEquals(
            listOf(
                HistoryEvent.Rename(2, "Kobold"),
                HistoryEvent.Export(2, ExportFormat.MARKDOWN, ExportTarget.SAVE),
                HistoryEvent.Export(2, ExportFormat.TEXT, ExportTarget.SAVE),
                HistoryEvent.Export(2, ExportFormat.TEXT, ExportTarget.SHARE),
            ),
            stage.events,
        )
    }

    @Test
    fun `a conversation is deleted from its menu`() {
        val stage = stage()
        stage.choose(1, "Delete")
        assertEquals(listOf<HistoryEvent>(HistoryEvent.Delete(2)), stage.events)
    }

    @Test
    fun `a new chat begins from here`() {
        val stage = stage()
        stage.click(R.id.new_chat_here)
        assertTrue(stage.stores.chat.events.single() is ChatEvent.NewChat)
        assertEquals(listOf(Screen.CHAT), stage.shell.opened)
    }
}
