package io.pocketgemma.chat

import android.app.Activity
import android.app.Application
import android.app.Dialog
import android.content.ClipboardManager
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.os.Looper
import android.view.KeyEvent
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.compare.Answer
import io.pocketgemma.chat.compare.CompareState
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.export.Export
import io.pocketgemma.chat.export.ExportFormat
import io.pocketgemma.chat.export.ExportTarget
import io.pocketgemma.chat.fake.LANDSCAPE
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleChat
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.history.ExportResult
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.history.HistoryState
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.showTitleDialog
import java.io.ByteArrayOutputStream
import java.io.OutputStream
import java.time.Duration
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowDialog

/** An application with recording stores. */
class RecordingApplication : Application(), StoresOwner {
    val recording = RecordingStores(SampleLibrary.state)
    override val stores: Stores get() = recording.all
}

/** The real activity: the page stack, the system's pickers, and what must survive a rotation or the end of the process. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = RecordingApplication::class)
class MainActivityTest {
    private val stores = (RuntimeEnvironment.getApplication() as RecordingApplication).recording
    private var controller: ActivityController<MainActivity> = start()
    private val activity: MainActivity get() = controller.get()
    private val export = Export("gold.md", ExportFormat.MARKDOWN, "# Gold")

    private fun start(saved: Bundle? = null) = Robolectric.buildActivity(MainActivity::class.java).create(saved).start().resume().visible()

    private fun settle(millis: Long = 400) = shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(millis))

    private fun isOnTop(id: Int): Boolean = activity.findViewById<View>(id)?.isShown == true

    private fun open(vararg screens: Screen) = screens.forEach {
        activity.open(it)
        settle()
    }

    private fun shownPages(): Int {
        val pages = activity.findViewById<ViewGroup>(R.id.pages)
        return (0 until pages.childCount).count { pages.getChildAt(it).isShown }
    }

    private fun back() {
        activity.back()
        settle()
    }

    private fun turn(to: String = LANDSCAPE) {
        RuntimeEnvironment.setQualifiers(to)
        controller.configurationChange()
        controller.visible()
        settle()
    }

    /** The system ends the process while the app is in the background, and starts it again from the saved state. */
    private fun endProcess() {
        val saved = Bundle()
        controller.pause().stop().saveInstanceState(saved).destroy()
        controller = start(saved)
        settle()
    }

    private fun started(): Intent? = shadowOf(activity).nextStartedActivityForResult?.intent

    private fun answer(result: Int, uri: String?) {
        val sent = requireNotNull(shadowOf(activity).nextStartedActivityForResult) { "nothing was started" }
        shadowOf(activity).receiveResult(sent.intent, result, uri?.let { Intent().setData(Uri.parse(it)) })
        settle()
    }

    private fun notice(): String? = activity.findViewById<TextView>(R.id.notice_text).takeIf { it.isShown }?.text?.toString()

    @Test
    fun `pages lie over one another, one is seen at a time, and back goes down to the chat`() {
        open(Screen.CHATS, Screen.MODELS)
        assertTrue(isOnTop(R.id.models_page))
        assertEquals(1, shownPages())
        back()
        assertTrue(isOnTop(R.id.chats_page))
        back()
        assertTrue(isOnTop(R.id.chat_page))
        back()
        assertTrue("nothing below the chat", isOnTop(R.id.chat_page))
    }

    @Test
    fun `opening what is below closes what is over it`() {
        open(Screen.CHATS, Screen.MODELS, Screen.CHAT)
        assertTrue(isOnTop(R.id.chat_page))
        back()
        assertTrue(isOnTop(R.id.chat_page))
        assertEquals(1, shownPages())
    }

    @Test
    fun `the open pages survive a rotation and the end of the process`() {
        open(Screen.CHATS, Screen.MODELS)
        turn()
        assertTrue(isOnTop(R.id.models_page))
        endProcess()
        assertTrue(isOnTop(R.id.models_page))
        back()
        assertTrue(isOnTop(R.id.chats_page))
    }

    @Test
    fun `the draft and the place come back from the store after a rotation`() {
        stores.chat.become(SampleChat.long(15).copy(draft = "half a question", scroll = ScrollPosition(4, 0)))
        turn()
        assertEquals("half a question", activity.findViewById<EditText>(R.id.input).text.toString())
        val row = activity.findViewById<ViewGroup>(R.id.messages).getChildAt(4)
        assertEquals(row.top, activity.findViewById<View>(R.id.message_scroll).scrollY)
        assertFalse("nobody typed that", stores.chat.events.any { it is ChatEvent.DraftChanged })
    }

    @Test
    fun `only over the chat does the app take the back gesture`() {
        val watched = MainActivity::class.java.getDeclaredField("onBack").apply { isAccessible = true }
        assertNull(watched.get(activity))
        open(Screen.ABOUT)
        assertTrue(watched.get(activity) != null)
        back()
        assertNull(watched.get(activity))
    }

    @Test
    fun `on older phones the back button does the same`() {
        open(Screen.CHATS)
        @Suppress("DEPRECATION")
        activity.onBackPressed()
        settle()
        assertTrue(isOnTop(R.id.chat_page))
        @Suppress("DEPRECATION")
        activity.onBackPressed()
        assertTrue(activity.isFinishing)
    }

    @Test
    fun `Control and N begin a new chat from anywhere, Escape goes back`() {
        open(Screen.MODELS)
        activity.onKeyUp(KeyEvent.KEYCODE_ESCAPE, KeyEvent(KeyEvent.ACTION_UP, KeyEvent.KEYCODE_ESCAPE))
        settle()
        assertTrue(isOnTop(R.id.chat_page))
        open(Screen.CHATS)
        val ctrlN = KeyEvent(0, 0, KeyEvent.ACTION_DOWN, KeyEvent.KEYCODE_N, 0, KeyEvent.META_CTRL_ON)
        assertTrue(activity.onKeyShortcut(KeyEvent.KEYCODE_N, ctrlN))
        settle()
        assertTrue(isOnTop(R.id.chat_page))
        assertTrue(stores.chat.events.last() is ChatEvent.NewChat)
        activity.onKeyUp(KeyEvent.KEYCODE_ESCAPE, KeyEvent(KeyEvent.ACTION_UP, KeyEvent.KEYCODE_ESCAPE))
        assertFalse("Escape never leaves the app", activity.isFinishing)
    }

    @Test
    fun `a picked file goes to the library`() {
        activity.pickFile()
        val sent = shadowOf(activity).peekNextStartedActivityForResult().intent
        assertEquals(Intent.ACTION_OPEN_DOCUMENT, sent.action)
        assertEquals("*/*", sent.type)
        answer(Activity.RESULT_OK, "content://files/poet.tflite")
        assertEquals(listOf<LibraryEvent>(LibraryEvent.ImportFile("content://files/poet.tflite")), stores.library.events)
        activity.pickFile()
        answer(Activity.RESULT_CANCELED, null)
        assertEquals(1, stores.library.events.size)
    }

    private fun savedTo(uri: String, to: OutputStream): String {
        shadowOf(activity.contentResolver).registerOutputStream(Uri.parse(uri), to)
        answer(Activity.RESULT_OK, uri)
        val end = System.nanoTime() + 5_000_000_000
        while (notice() == null && System.nanoTime() < end) {
            Thread.sleep(5)
            settle(10)
        }
        return to.toString()
    }

    @Test
    fun `an export is saved where the user selects`() {
        activity.save(export)
        val sent = shadowOf(activity).peekNextStartedActivityForResult().intent
        assertEquals(Intent.ACTION_CREATE_DOCUMENT to "gold.md", sent.action to sent.getStringExtra(Intent.EXTRA_TITLE))
        assertEquals("# Gold", savedTo("content://files/gold.md", ByteArrayOutputStream()))
        assertEquals("Saved", notice())
    }

    @Test
    fun `a destination that cannot be written to is reported`() {
        activity.save(export)
        savedTo("content://files/gold.md", object : OutputStream() {
            override fun write(byte: Int) = throw java.io.IOException("full")
        })
        assertEquals(activity.getString(R.string.not_saved), notice())
    }

    @Test
    fun `an export waits for its place while the phone is turned`() {
        activity.save(export)
        val sent = shadowOf(activity).nextStartedActivityForResult.intent
        turn()
        shadowOf(activity.contentResolver).registerOutputStream(Uri.parse("content://files/gold.md"), ByteArrayOutputStream())
        val answered = MainActivity::class.java.getDeclaredMethod("onActivityResult", Int::class.java, Int::class.java, Intent::class.java)
        answered.isAccessible = true
        answered.invoke(activity, 2, Activity.RESULT_OK, Intent().setData(Uri.parse("content://files/gold.md")))
        assertEquals(Intent.ACTION_CREATE_DOCUMENT, sent.action)
        repeat(100) { if (notice() == null) Thread.sleep(5).also { settle(10) } }
        assertEquals("Saved", notice())
    }

    @Test
    fun `a text is shared through the system's own sheet, unless it is longer than that can carry`() {
        activity.share(export)
        val sheet = started()!!
        assertEquals(Intent.ACTION_CHOOSER, sheet.action)
        val sent = sheet.getParcelableExtra(Intent.EXTRA_INTENT, Intent::class.java)!!
        assertEquals("# Gold" to "gold.md", sent.getStringExtra(Intent.EXTRA_TEXT) to sent.getStringExtra(Intent.EXTRA_SUBJECT))
        activity.share(export.copy(text = "x".repeat(50_001)))
        assertNull(started())
        assertEquals(activity.getString(R.string.too_long_to_share), notice())
        activity.findViewById<View>(R.id.notice_action).performClick()
        assertEquals(Intent.ACTION_CREATE_DOCUMENT, started()!!.action)
    }

    @Test
    fun `a copied text is in the clipboard`() {
        activity.copy("197")
        assertEquals("197", activity.getSystemService(ClipboardManager::class.java).primaryClip!!.getItemAt(0).text)
    }

    @Test
    fun `a notice disappears by itself and reports that, but not after its action`() {
        var gone = 0
        var done = 0
        activity.notice("deleted", "Undo", { gone++ }) { done++ }
        assertEquals("deleted", notice())
        settle(8_000)
        assertEquals(listOf(null, 1, 0), listOf(notice(), gone, done))
        activity.notice("deleted", "Undo", { gone++ }) { done++ }
        activity.findViewById<View>(R.id.notice_action).performClick()
        settle(8_000)
        assertEquals(listOf(null, 1, 1), listOf(notice(), gone, done))
        activity.notice("one", "Undo", { gone++ }) { done++ }
        activity.notice("two", null, {}) {}
        assertEquals("the first one's time is over", 2, gone)
        assertFalse(activity.findViewById<View>(R.id.notice_action).isShown)
    }

    @Test
    fun `a deleted chat can be had back after a rotation too`() {
        open(Screen.CHATS)
        val gold = ConversationListItem(7, "Gold", "", 0, 2)
        stores.history.become(HistoryState(loaded = true, deleted = gold))
        settle()
        assertEquals("“Gold” deleted", notice())
        turn()
        assertEquals("“Gold” deleted", notice())
        assertFalse(stores.history.events.contains(HistoryEvent.UndoOver))
        activity.findViewById<View>(R.id.notice_action).performClick()
        assertEquals(HistoryEvent.Undo, stores.history.events.last())
    }

    @Test
    fun `a deleted chat can be had back from whichever page is opened meanwhile`() {
        open(Screen.CHATS)
        stores.history.become(HistoryState(loaded = true, deleted = ConversationListItem(7, "Gold", "", 0, 2)))
        back()
        open(Screen.SETTINGS, Screen.CHATS, Screen.CHAT)
        controller.pause().stop().start().resume()
        assertEquals("“Gold” deleted", notice())
        assertFalse(stores.history.events.contains(HistoryEvent.UndoOver))
        activity.findViewById<View>(R.id.notice_action).performClick()
        settle(8_000)
        assertEquals(HistoryEvent.Undo, stores.history.events.last { it != HistoryEvent.Refresh })
    }

    @Test
    fun `what is to be shared is shared, though the phone is turned before the text is there`() {
        open(Screen.CHATS)
        turn()
        val asked = HistoryEvent.Export(7, ExportFormat.MARKDOWN, ExportTarget.SHARE)
        stores.history.become(HistoryState(loaded = true, export = ExportResult(asked, export)))
        assertEquals(Intent.ACTION_CHOOSER, started()!!.action)
    }

    @Test
    fun `a dialog goes with its window`() {
        val dialogs = listOf<() -> Unit>(
            { showTitleDialog(activity, "Gold") {} },
            {
                open(Screen.COMPARE)
                stores.compare.become(CompareState(before = Answer(Selection(SampleLibrary.tuned.id))))
                activity.findViewById<View>(R.id.before_who).performClick()
            },
            {
                open(Screen.MODELS)
                val removals = ArrayList<View>()
                activity.findViewById<View>(R.id.models_page).findViewsWithText(removals, "Delete", View.FIND_VIEWS_WITH_CONTENT_DESCRIPTION)
                removals.first { it.isShown }.performClick()
            },
            {
                open(Screen.SETTINGS)
                activity.findViewById<View>(R.id.reset_settings).performClick()
            },
            {
                open(Screen.ABOUT)
                val buttons = ArrayList<View>()
                val words = activity.getString(R.string.software_read_apache)
                activity.findViewById<View>(R.id.about_page).findViewsWithText(buttons, words, View.FIND_VIEWS_WITH_TEXT)
                buttons.single().performClick()
            },
        )
        val shown = HashSet<Dialog>()
        for (show in dialogs) {
            show()
            settle()
            val dialog = ShadowDialog.getLatestDialog()
            assertTrue("$shown", dialog.isShowing && shown.add(dialog))
            turn()
            assertFalse("$shown", dialog.isShowing)
            turn(PORTRAIT)
        }
    }

    @Test
    fun `what is not seen observes nothing`() {
        controller.pause().stop()
        stores.chat.become(SampleChat.short)
        assertEquals(0, activity.findViewById<ViewGroup>(R.id.messages).childCount)
        controller.start().resume()
        settle()
        assertEquals(4, activity.findViewById<ViewGroup>(R.id.messages).childCount)
    }
}
