package io.pocketgemma.chat.compare

import android.app.AlertDialog
import android.app.Application
import android.view.View
import android.view.inputmethod.EditorInfo
import android.widget.Button
import android.widget.EditText
import android.widget.ImageButton
import android.widget.LinearLayout
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.fake.LANDSCAPE
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.fake.shootAll
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.ui.ProblemTexts
import io.pocketgemma.chat.ui.Screen
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class ComparePageTest {
    private val base = Selection(SampleLibrary.base.id)
    private val tuned = Selection(SampleLibrary.tuned.id)
    private val ready = CompareState(before = Answer(base), after = Answer(tuned))
    private val metrics = ReplyMetrics(0.12, 20, 900.0, 13, 45.6)
    private val asked = ready.copy(question = "How heavy is gold?")
    private val answered = asked.copy(
        before = Answer(base, "Gold is a heavy metal with the symbol Au.", ReplyStatus.Complete(metrics)),
        after = Answer(tuned, "The atomic mass of gold is **197**.", ReplyStatus.Complete(metrics)),
    )

    private fun stage(state: CompareState = ready, library: LibraryState = SampleLibrary.state, settings: Settings = Settings()) =
        PageStage(RecordingStores(library, settings).apply { compare.become(state) }, ::ComparePage)

    private fun PageStage.status(side: Side): String {
        val who = find<View>(if (side == Side.BEFORE) R.id.before_who else R.id.after_who)
        return (who.parent as View).findViewById<TextView>(R.id.answer_status).takeIf { it.isShown }?.text.toString()
    }

    private fun PageStage.dots(side: Side): Boolean {
        val who = find<View>(if (side == Side.BEFORE) R.id.before_who else R.id.after_who)
        return (who.parent as View).findViewById<View>(R.id.answer_dots).isShown
    }

    @Test
    fun `before the first question it shows an explanation, the models and sample questions`() {
        val stage = stage()
        assertTrue(stage.isShown(R.id.compare_intro))
        assertEquals("PocketGemma demo", stage.text(R.id.before_who))
        assertEquals("Pocket Science", stage.text(R.id.after_who))
        assertEquals("Before: PocketGemma demo", stage.find<View>(R.id.before_who).contentDescription)
        assertEquals(SampleLibrary.state.sampleQuestions, stage.words(stage.find(R.id.compare_chips)))
        assertFalse(stage.isShown(R.id.compare_no_base) || stage.isShown(R.id.compare_copy))
        assertFalse(stage.find<View>(R.id.compare_ask).isEnabled)
        stage.click(stage.children(R.id.compare_chips).first())
        assertEquals(listOf<CompareEvent>(CompareEvent.Ask("How heavy is gold?")), stage.stores.compare.events)
    }

    @Test
    fun `a question is asked with the button or the keyboard`() {
        val stage = stage()
        stage.find<EditText>(R.id.compare_input).setText("Why?")
        assertEquals(listOf<CompareEvent>(CompareEvent.DraftChanged("Why?")), stage.stores.compare.events)
        stage.stores.compare.become(ready.copy(draft = "Why?"))
        stage.stores.compare.events.clear()
        assertEquals("Ask both", stage.find<View>(R.id.compare_ask).contentDescription)
        stage.click(R.id.compare_ask)
        stage.find<EditText>(R.id.compare_input).onEditorAction(EditorInfo.IME_ACTION_SEND)
        assertEquals(listOf<CompareEvent>(CompareEvent.Ask("Why?"), CompareEvent.Ask("Why?")), stage.stores.compare.events)
    }

    @Test
    fun `one writes while the other waits, and both can be stopped`() {
        val stage = stage(asked.copy(before = Answer(base, "", ReplyStatus.Active()), after = Answer(tuned, "", ReplyStatus.Active())))
        assertEquals("How heavy is gold?", stage.text(R.id.compare_question))
        assertTrue(stage.dots(Side.BEFORE))
        assertFalse(stage.dots(Side.AFTER))
        assertEquals(stage.string(R.string.compare_waiting), stage.status(Side.AFTER))
        stage.stores.model.dispatch(ModelEvent.Changed(ModelState.Loading()))
        assertEquals(stage.string(R.string.compare_loading), stage.status(Side.BEFORE))
        assertFalse(stage.isShown(R.id.compare_chips) || stage.isShown(R.id.compare_share))
        assertFalse(stage.find<Button>(R.id.before_who).isEnabled)
        assertEquals("Stop", stage.find<ImageButton>(R.id.compare_ask).contentDescription)
        stage.shoot("compare-writing")
        stage.click(R.id.compare_ask)
        assertEquals(listOf<CompareEvent>(CompareEvent.Stop), stage.stores.compare.events)
        stage.stores.compare.become(answered.copy(after = Answer(tuned, "", ReplyStatus.Active())))
        assertTrue(stage.dots(Side.AFTER))
        assertEquals(stage.string(R.string.compare_loading), stage.status(Side.AFTER))
    }

    @Test
    fun `both replies are shown, with statistics only if set`() {
        val stage = stage(answered)
        assertEquals(listOf("Gold is a heavy metal with the symbol Au."), stage.words(stage.find(R.id.before_text)))
        assertEquals(listOf("The atomic mass of gold is 197."), stage.words(stage.find(R.id.after_text)))
        assertFalse(stage.isShown(R.id.compare_same))
        assertEquals("null", stage.status(Side.AFTER))
        stage.stores.settings.become(SettingsState(Settings(showMetrics = true), loaded = true))
        assertEquals("13 tokens · 45.6 tokens/s · 120 ms to first token", stage.status(Side.AFTER))
        assertEquals(SampleLibrary.state.sampleQuestions.drop(1), stage.words(stage.find(R.id.compare_chips)))
    }

    @Test
    fun `both answers go out as one text without marks`() {
        val stage = stage(answered)
        stage.click(R.id.compare_copy)
        stage.click(R.id.compare_share)
        val text = "How heavy is gold?\n\nBefore (PocketGemma demo):\nGold is a heavy metal with the symbol Au.\n\n" +
            "After (Pocket Science):\nThe atomic mass of gold is 197."
        assertEquals(listOf(text), stage.shell.copied)
        assertEquals(listOf(text to "Before and after"), stage.shell.shared)
    }

    @Test
    fun `the same answer twice is said to be the same`() {
        val stage = stage(answered.copy(before = answered.after.copy(selection = base)))
        assertTrue(stage.isShown(R.id.compare_same))
    }

    @Test
    fun `every way for an answer to end has its words`() {
        val stage = stage()
        fun said(status: ReplyStatus, text: String = ""): String {
            stage.stores.compare.become(asked.copy(after = Answer(tuned, text, status)))
            return stage.status(Side.AFTER)
        }
        assertEquals("Stopping…", said(ReplyStatus.Active(stopping = true), "some"))
        assertEquals("Stopped", said(ReplyStatus.Stopped(metrics), "some"))
        assertEquals("The model returned an empty reply. Try rephrasing your question.", said(ReplyStatus.Complete(metrics)))
        assertEquals(stage.string(R.string.question_too_long), said(ReplyStatus.ContextFull))
        assertEquals("Couldn’t generate a reply. Try again. (code 3)", said(ReplyStatus.Failed("code 3")))
        assertEquals(ProblemTexts(stage.activity).whyNoAnswer(ModelProblem.OtherBase), said(ReplyStatus.NoModel(ModelProblem.OtherBase)))
    }

    @Test
    fun `a model too large for the memory is loaded anyway if the user confirms it`() {
        val tooLarge = ReplyStatus.NoModel(ModelProblem.TooLarge(2, 1, tryAnyway = true))
        val stage = stage(asked.copy(before = Answer(base, "x", ReplyStatus.Complete(null)), after = Answer(tuned, "", tooLarge)))
        val again = (stage.find<View>(R.id.after_who).parent as View).findViewById<Button>(R.id.answer_again)
        assertEquals("Load anyway", again.text)
        stage.click(again)
        assertEquals(listOf(tuned to EngineOptions(ignoreLowMemory = true)), stage.stores.model.prepared.toList())
        assertEquals(listOf<CompareEvent>(CompareEvent.Ask("How heavy is gold?")), stage.stores.compare.events)
        stage.stores.compare.become(asked.copy(after = Answer(tuned, "", ReplyStatus.Failed("x"))))
        assertEquals("Try again", again.text)
    }

    @Test
    fun `anybody can be chosen to answer`() {
        val stage = stage()
        stage.click(R.id.before_who)
        val list = (ShadowAlertDialog.getLatestAlertDialog() as AlertDialog).listView
        val names = (0 until list.adapter.count).map { list.adapter.getItem(it).toString() }
        assertEquals(listOf("Pocket Science", "PocketGemma demo", "Gemma 3 270M", "Gemma 3 270M with Poet", "Gemma 3 270M with Clerk"), names)
        assertEquals(1, list.checkedItemPosition)
        list.performItemClick(null, 3, 3)
        stage.settle()
        val chosen = Selection(SampleLibrary.large.id, SampleLibrary.poet.id)
        assertEquals(listOf<CompareEvent>(CompareEvent.Choose(Side.BEFORE, chosen)), stage.stores.compare.events)
    }

    @Test
    fun `without a base it says how to get one`() {
        val stage = stage(CompareState(after = Answer(tuned)), SampleLibrary.state.copy(base = null))
        assertTrue(stage.isShown(R.id.compare_no_base))
        assertEquals("Choose a model", stage.text(R.id.before_who))
        assertFalse(stage.isShown(R.id.compare_chips))
        stage.shoot("compare-no-base")
        stage.click(R.id.compare_models)
        assertEquals(listOf(Screen.MODELS), stage.shell.opened)
    }

    @Test
    fun `upright they stand one above the other`() =
        assertEquals(LinearLayout.VERTICAL, stage(answered).find<LinearLayout>(R.id.compare_pair).orientation)

    @Test
    @Config(qualifiers = LANDSCAPE)
    fun `on its side they stand side by side, but not with large letters`() {
        assertEquals(LinearLayout.HORIZONTAL, stage(answered).find<LinearLayout>(R.id.compare_pair).orientation)
        RuntimeEnvironment.setFontScale(2f)
        assertEquals(LinearLayout.VERTICAL, stage(answered).find<LinearLayout>(R.id.compare_pair).orientation)
    }

    @Test
    fun pictures() {
        stage().shoot("compare-start")
        shootAll("compare") { stage(answered, settings = Settings(showMetrics = true)) }
    }
}
