package io.pocketgemma.chat.models

import android.app.AlertDialog
import android.app.Application
import android.content.DialogInterface
import android.view.View
import android.view.ViewGroup
import android.view.accessibility.AccessibilityNodeInfo
import android.widget.Button
import android.widget.ImageButton
import android.widget.ProgressBar
import android.widget.RadioButton
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.fake.shootAll
import io.pocketgemma.chat.library.Import
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.ui.ProblemTexts
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class ModelsPageTest {
    private fun stage(library: LibraryState = SampleLibrary.state, selection: Selection? = null) =
        PageStage(RecordingStores(library, Settings(selection = selection)), ::ModelsPage).apply {
            assertEquals("the files are looked at again", listOf<LibraryEvent>(LibraryEvent.Refresh), stores.library.events)
            stores.library.events.clear()
        }

    private fun PageStage.rows(): List<ChoiceRow> = rows(page.view)

    private fun rows(view: View): List<ChoiceRow> = when (view) {
        is ChoiceRow -> listOf(view)
        is ViewGroup -> (0 until view.childCount).flatMap { rows(view.getChildAt(it)) }
        else -> emptyList()
    }

    private fun name(row: View): String = row.findViewById<TextView>(R.id.entry_name).text.toString()

    private fun PageStage.row(name: String): ChoiceRow = rows().single { name(it) == name }

    @Test
    fun `every model is listed with its compatible adapters, and an adapter without its base separately`() {
        val stage = stage()
        assertEquals(listOf("Pocket Science", "PocketGemma demo", "Gemma 3 270M", "Poet", "Clerk"), stage.rows().map(::name))
        assertEquals(listOf("Poet", "Clerk"), rows(stage.children(R.id.model_list)[2].findViewById(R.id.adapter_list)).map(::name))
        assertEquals(listOf("Sailor", "6.3 MB · Imported\nAdapter, rank 32"), stage.words(stage.find(R.id.orphan_list)))
        assertEquals("2.7 MB · Included with the app\nModel before fine-tuning\nDoesn’t support adapters", detail(stage.row("PocketGemma demo")))
        assertEquals("281 MB · Imported\nSupports adapters of rank 16", detail(stage.row("Gemma 3 270M")))
        assertEquals("Storage used: 298 MB", stage.text(R.id.models_total))
    }

    private fun detail(row: View): String = row.findViewById<TextView>(R.id.entry_detail).text.toString()

    @Test
    fun `the one in use is a checked radio button, without a choice the one that came with the app`() {
        val stage = stage()
        assertEquals(listOf("Pocket Science"), stage.rows().filter { it.isChecked }.map(::name))
        val node = AccessibilityNodeInfo.obtain().also(stage.row("Pocket Science")::onInitializeAccessibilityNodeInfo)
        assertEquals(RadioButton::class.java.name, node.className)
        assertTrue(node.isCheckable && node.isChecked)
        stage.stores.settings.become(stage.stores.settings.state.copy(settings = Settings(selection = Selection(SampleLibrary.large.id, SampleLibrary.poet.id))))
        assertEquals(listOf("Poet"), stage.rows().filter { it.isChecked }.map(::name))
        assertTrue(stage.row("Poet").findViewById<View>(R.id.entry_in_use).isShown)
        assertFalse(stage.row("Pocket Science").findViewById<View>(R.id.entry_in_use).isShown)
    }

    @Test
    fun `a tap on a row chooses it and nothing else of the settings`() {
        val stage = stage()
        val before = Settings(threads = 3)
        stage.stores.settings.become(stage.stores.settings.state.copy(settings = before))
        stage.click(stage.row("Clerk"))
        stage.click(stage.row("PocketGemma demo"))
        assertEquals(
            listOf(Selection(SampleLibrary.large.id, SampleLibrary.clerk.id), Selection(SampleLibrary.base.id))
                .map { SettingsEvent.Change(before.copy(selection = it)) },
            stage.stores.settings.events.toList(),
        )
    }

    @Test
    fun `what the model in use is doing stands in its row`() {
        val stage = stage()
        fun now(state: ModelState): String {
            stage.stores.model.dispatch(ModelEvent.Changed(state))
            return stage.row("Pocket Science").findViewById<TextView>(R.id.entry_now).text.toString()
        }
        val tuned = Selection(SampleLibrary.tuned.id)
        assertEquals("Setting up… 40%", now(ModelState.Loading(0.4)))
        assertEquals("Loading…", now(ModelState.Loading()))
        assertEquals("Ready · CPU", now(ModelState.Ready(tuned, Backend.CPU)))
        assertEquals("Ready · CPU (the GPU can’t run this model)", now(ModelState.Ready(tuned, Backend.CPU, fellBack = true)))
        assertEquals(ProblemTexts(stage.activity).whyNoAnswer(ModelProblem.Damaged), now(ModelState.Failed(tuned, ModelProblem.Damaged)))
        assertEquals("Loads with your next message", now(ModelState.Failed(Selection(SampleLibrary.base.id), ModelProblem.Damaged)))
        assertEquals("Loads with your next message", now(ModelState.Ready(Selection(SampleLibrary.base.id), Backend.CPU)))
    }

    @Test
    fun `a model that failed can be tried again, one too large for the memory loaded anyway`() {
        val stage = stage()
        val tuned = Selection(SampleLibrary.tuned.id)
        val again = stage.row("Pocket Science").findViewById<Button>(R.id.entry_again)
        assertFalse(again.isShown)
        for (problem in listOf(ModelProblem.Damaged, ModelProblem.TooLarge(2, 1, tryAnyway = true))) {
            stage.stores.model.dispatch(ModelEvent.Changed(ModelState.Failed(tuned, problem)))
            stage.click(again)
        }
        assertEquals("Load anyway", again.text)
        stage.shoot("models-too-large")
        assertEquals(listOf(tuned to EngineOptions(), tuned to EngineOptions(ignoreLowMemory = true)), stage.stores.model.prepared.toList())
    }

    @Test
    fun `only what was imported can be removed, and only after a question`() {
        val stage = stage(selection = Selection(SampleLibrary.large.id))
        val removable = stage.rows().filter { it.findViewById<View>(R.id.entry_remove).isShown }
        assertEquals(listOf("Gemma 3 270M", "Poet"), removable.map(::name))
        val button = removable.first().findViewById<ImageButton>(R.id.entry_remove)
        assertEquals("Delete Gemma 3 270M", button.contentDescription)
        stage.click(button)
        assertEquals(emptyList<LibraryEvent>(), stage.stores.library.events)
        val dialog = ShadowAlertDialog.getLatestAlertDialog() as AlertDialog
        dialog.getButton(DialogInterface.BUTTON_NEGATIVE).performClick()
        stage.settle()
        assertEquals(emptyList<LibraryEvent>(), stage.stores.library.events)
        stage.click(button)
        (ShadowAlertDialog.getLatestAlertDialog() as AlertDialog).getButton(DialogInterface.BUTTON_POSITIVE).performClick()
        stage.settle()
        assertEquals(listOf(LibraryEvent.Remove(SampleLibrary.large.id)), stage.stores.library.events)
    }

    @Test
    fun `an import shows its name and progress, can be canceled, and allows no second one`() {
        val stage = stage(SampleLibrary.state.copy(importing = Import("poet.tflite", 0.456)))
        assertEquals("Importing “poet.tflite”", stage.text(R.id.import_name))
        assertEquals("46%", stage.text(R.id.import_share))
        assertEquals(456, stage.find<ProgressBar>(R.id.import_progress).progress)
        assertFalse(stage.find<View>(R.id.import_file).isEnabled)
        stage.shoot("models-importing")
        stage.stores.library.become(SampleLibrary.state.copy(importing = Import("poet.tflite")))
        assertTrue(stage.find<ProgressBar>(R.id.import_progress).isIndeterminate)
        stage.click(R.id.cancel_import)
        assertEquals(listOf(LibraryEvent.CancelImport), stage.stores.library.events)
        stage.stores.library.become(SampleLibrary.state)
        assertFalse(stage.isShown(R.id.import_running))
        stage.click(R.id.import_file)
        assertEquals(1, stage.shell.picks)
    }

    @Test
    fun `a refused import names the file and what to do, until it is read`() {
        val stage = stage(SampleLibrary.state.copy(refused = LibraryState.Refused("holiday.pdf", ModelProblem.WrongKind("PDF"))))
        assertEquals("Couldn’t import “holiday.pdf”", stage.text(R.id.refused_title))
        assertEquals(ProblemTexts(stage.activity).whyRefused(ModelProblem.WrongKind("PDF")), stage.text(R.id.refused_text))
        stage.shoot("models-refused")
        stage.click(R.id.refused_again)
        stage.click(R.id.refused_close)
        assertEquals(1, stage.shell.picks)
        assertEquals(listOf<LibraryEvent>(LibraryEvent.Noted, LibraryEvent.Noted), stage.stores.library.events)
        stage.stores.library.become(SampleLibrary.state)
        assertFalse(stage.isShown(R.id.import_refused))
    }

    @Test
    fun `what was imported is offered for use, once`() {
        val stage = stage(SampleLibrary.state.copy(imported = SampleLibrary.poet.id))
        stage.stores.library.become(SampleLibrary.state.copy(imported = SampleLibrary.poet.id, importing = Import("x")))
        val notice = stage.shell.notices.single()
        assertEquals("“Poet” imported", notice.text)
        notice.act()
        assertEquals(listOf<LibraryEvent>(LibraryEvent.Noted), stage.stores.library.events)
        assertEquals(
            listOf(SettingsEvent.Change(Settings(selection = Selection(SampleLibrary.large.id, SampleLibrary.poet.id)))),
            stage.stores.settings.events.toList(),
        )
    }

    @Test
    fun `an imported adapter without its base is not offered for use`() {
        val notice = stage(SampleLibrary.state.copy(imported = SampleLibrary.lost.id)).shell.notices.single()
        assertEquals("“Sailor” imported, but its base model is missing", notice.text)
        assertEquals(null, notice.action)
    }

    @Test
    fun `an app without a model says how to get one`() {
        val stage = stage(LibraryState(loaded = true))
        assertTrue(stage.isShown(R.id.models_empty))
        assertFalse(stage.isShown(R.id.models_hint))
        assertFalse(stage.isShown(R.id.models_total))
        stage.shoot("models-empty")
        stage.click(R.id.import_file)
        assertEquals(1, stage.shell.picks)
    }

    @Test
    fun `before the files have been looked at nothing is said to be missing`() {
        val stage = stage(LibraryState(loaded = false))
        assertFalse(stage.isShown(R.id.models_empty))
        assertEquals(stage.string(R.string.models_looking), stage.text(R.id.models_hint))
    }

    @Test
    fun `a hidden page observes nothing`() {
        val stage = stage()
        stage.page.hide()
        stage.stores.library.become(LibraryState(loaded = true))
        assertFalse(stage.isShown(R.id.models_empty))
        stage.page.show()
        assertTrue(stage.isShown(R.id.models_empty))
    }

    @Test
    fun pictures() = shootAll("models") { stage(selection = Selection(SampleLibrary.large.id, SampleLibrary.poet.id)) }
}
