package io.pocketgemma.chat.chat

import android.app.AlertDialog
import android.app.Application
import android.content.DialogInterface
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.ChatStage.choose
import io.pocketgemma.chat.chat.ChatStage.events
import io.pocketgemma.chat.chat.ChatStage.menu
import io.pocketgemma.chat.chat.ChatStage.nothing
import io.pocketgemma.chat.chat.ChatStage.ready
import io.pocketgemma.chat.chat.ChatStage.rows
import io.pocketgemma.chat.chat.ChatStage.stage
import io.pocketgemma.chat.chat.ChatStage.tuned
import io.pocketgemma.chat.chat.ChatStage.words
import io.pocketgemma.chat.export.ExportFormat
import io.pocketgemma.chat.export.ExportTarget
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.SampleChat
import io.pocketgemma.chat.fake.SampleChat.question
import io.pocketgemma.chat.fake.SampleChat.reply
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.header
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog
import org.robolectric.shadows.ShadowDialog

/** The header of the chat: the model, the menu, and the menu's actions. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class ChatHeaderTest {
    @Test
    fun `the header shows the title, the model and its state`() {
        val stage = stage(nothing)
        fun header(model: ModelState, chat: ChatState = nothing): List<String> {
            stage.stores.chat.become(chat)
            stage.stores.model.dispatch(ModelEvent.Changed(model))
            return listOf(stage.text(R.id.title), stage.text(R.id.status))
        }
        assertEquals(listOf("Pocket Science", "On this phone, offline"), header(ready))
        assertEquals(listOf("Pocket Science", "On this phone’s GPU, offline"), header(ready.copy(backend = Backend.GPU)))
        assertEquals(listOf("Pocket Science", "GPU unavailable, using CPU"), header(ready.copy(fellBack = true)))
        assertEquals(listOf("Pocket Science", "Loads when needed"), header(ModelState.Asleep))
        assertEquals(listOf("Pocket Science", "Setting up… 40%"), header(ModelState.Loading(0.4)))
        assertEquals(listOf("Pocket Science", "Model unavailable"), header(ModelState.Failed(tuned, ModelProblem.Damaged)))
        assertEquals(listOf("How heavy is gold?", "Pocket Science · offline"), header(ready, SampleChat.short))
        assertEquals(listOf("How heavy is gold?", "Loading… · Pocket Science"), header(ModelState.Loading(), SampleChat.short))
        stage.click(R.id.open_chats)
        stage.click(R.id.new_chat)
        assertEquals(listOf(Screen.CHATS), stage.shell.opened)
        assertTrue(stage.events.single() is ChatEvent.NewChat)
    }

    @Test
    fun `a tap on the header offers every model with its adapters, and takes the one chosen`() {
        val stage = stage(nothing, settings = Settings(threads = 2))
        stage.click(R.id.who)
        val dialog = ShadowDialog.getLatestDialog()
        val rows = dialog.findViewById<ViewGroup>(R.id.choices).let { group -> (0 until group.childCount).map(group::getChildAt) }
        assertEquals(
            listOf("Pocket Science", "PocketGemma demo", "Gemma 3 270M", "Poet", "Clerk"),
            rows.map { it.findViewById<TextView>(R.id.choice_name).text },
        )
        assertEquals(listOf("Pocket Science"), rows.filter { it.isActivated }.map { it.findViewById<TextView>(R.id.choice_name).text })
        rows[3].performClick()
        assertFalse(dialog.isShowing)
        val chosen = Selection(SampleLibrary.large.id, SampleLibrary.poet.id)
        assertEquals(listOf(SettingsEvent.Change(Settings(threads = 2, selection = chosen))), stage.stores.settings.events.toList())
    }

    @Test
    fun `the panel leads to the models, and goes with the page`() {
        val stage = stage(nothing)
        stage.click(R.id.who)
        ShadowDialog.getLatestDialog().findViewById<View>(R.id.manage_models).performClick()
        assertEquals(listOf(Screen.MODELS), stage.shell.opened)
        stage.click(R.id.who)
        stage.page.hide()
        assertFalse(ShadowDialog.getLatestDialog().isShowing)
    }

    @Test
    fun `a change of the model is shown where it happens`() {
        val stage = stage(SampleChat.of(question(0, "a"), reply(1, "A"), question(2, "b"), reply(3, "B", by = "Poet")))
        assertEquals(listOf(null, "Now using Poet"), listOf(stage.rows[1], stage.rows[3]).map { it.words(R.id.reply_who) })
    }

    @Test
    fun `the menu leads to every page, and offers for a chat what can be done with it`() {
        val stage = stage(nothing)
        stage.click(R.id.more)
        val menu = menu().menu
        val items = (0 until menu.size()).map(menu::getItem)
        assertEquals(
            listOf("Rename", "Share", "Export as Markdown", "Export as text") +
                listOf("Before / after", "Models", "Settings", "Benchmark", "About this model"),
            items.map { it.title },
        )
        assertEquals("nothing said, nothing to name or export", items.drop(4), items.filter { it.isEnabled })
        for (title in listOf("Before / after", "Models", "Settings", "Benchmark", "About this model")) {
            stage.click(R.id.more)
            stage.choose(title)
        }
        assertEquals(listOf(Screen.COMPARE, Screen.MODELS, Screen.SETTINGS, Screen.BENCHMARK, Screen.ABOUT), stage.shell.opened)
    }

    @Test
    fun `a chat is renamed in a dialog`() {
        val stage = stage(SampleChat.short)
        stage.click(R.id.more)
        stage.choose("Rename")
        val dialog = ShadowAlertDialog.getLatestAlertDialog() as AlertDialog
        val field = dialog.findViewById<EditText>(R.id.title_field)
        assertEquals("How heavy is gold?", field.text.toString())
        field.setText(" Metals ")
        dialog.getButton(DialogInterface.BUTTON_POSITIVE).performClick()
        stage.settle()
        assertEquals(listOf(ChatEvent.Rename("Metals")), stage.events)
    }

    @Test
    fun `an export is asked for with where it is to go`() {
        val stage = stage(SampleChat.short)
        for (title in listOf("Export as Markdown", "Export as text", "Share")) {
            stage.click(R.id.more)
            stage.choose(title)
        }
        assertEquals(
            listOf<HistoryEvent>(
                HistoryEvent.Export(1, ExportFormat.MARKDOWN, ExportTarget.SAVE),
                HistoryEvent.Export(1, ExportFormat.TEXT, ExportTarget.SAVE),
                HistoryEvent.Export(1, ExportFormat.TEXT, ExportTarget.SHARE),
            ),
            stage.stores.history.events,
        )
    }

    @Test
    fun `a hidden page observes nothing`() {
        val stage = stage(nothing)
        stage.page.hide()
        stage.stores.chat.become(SampleChat.short)
        assertEquals(emptyList<View>(), stage.rows)
        stage.page.show()
        stage.settle()
        assertEquals(4, stage.rows.size)
    }
}
