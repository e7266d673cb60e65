package io.pocketgemma.chat.chat

import android.app.AlertDialog
import android.app.Application
import android.content.DialogInterface
import android.view.KeyEvent
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.ChatStage.choose
import io.pocketgemma.chat.chat.ChatStage.events
import io.pocketgemma.chat.chat.ChatStage.has
import io.pocketgemma.chat.chat.ChatStage.input
import io.pocketgemma.chat.chat.ChatStage.nothing
import io.pocketgemma.chat.chat.ChatStage.press
import io.pocketgemma.chat.chat.ChatStage.rows
import io.pocketgemma.chat.chat.ChatStage.stage
import io.pocketgemma.chat.chat.ChatStage.tuned
import io.pocketgemma.chat.chat.ChatStage.type
import io.pocketgemma.chat.chat.ChatStage.words
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.SampleChat
import io.pocketgemma.chat.fake.SampleChat.question
import io.pocketgemma.chat.fake.SampleChat.reply
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.ui.ProblemTexts
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Texts
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog

/** The messages and the composer. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class ChatPageTest {
    @Test
    fun `questions are bubbles and replies are Markdown`() {
        val stage = stage(SampleChat.short)
        assertEquals(listOf("What is element 27?", null), stage.rows.take(2).map { it.words(R.id.question_text) })
        val body = stage.rows[3].findViewById<ViewGroup>(R.id.reply_body)
        val words = stage.words(body)
        assertTrue(words.toString(), "Gold is a dense metal. What sets it apart:" in words)
        assertFalse("marks are not shown", words.any { "**" in it })
        assertFalse(stage.isShown(R.id.empty))
    }

    @Test
    fun `what is typed becomes the draft, and sending asks it`() {
        val stage = stage(nothing)
        assertFalse(stage.find<View>(R.id.send).isEnabled)
        stage.type("  \n")
        assertFalse("blanks are nothing to send", stage.find<View>(R.id.send).isEnabled)
        stage.type("How heavy is gold?")
        stage.click(R.id.send)
        assertEquals(
            listOf(ChatEvent.DraftChanged("  \n"), ChatEvent.DraftChanged("How heavy is gold?"), ChatEvent.Ask("How heavy is gold?")),
            stage.events,
        )
    }

    @Test
    fun `the draft of the state is shown without an event, its end first`() {
        val stage = stage(nothing.copy(draft = "half a"))
        assertEquals("half a", stage.input.text.toString())
        assertEquals(6, stage.input.selectionStart)
        stage.stores.chat.become(nothing)
        assertEquals("", stage.input.text.toString())
        assertEquals(emptyList<ChatEvent>(), stage.events)
    }

    @Test
    fun `Enter on a keyboard sends, with Shift and on the screen it breaks the line`() {
        val stage = stage(nothing)
        stage.type("one")
        stage.press(KeyEvent.KEYCODE_ENTER, meta = KeyEvent.META_SHIFT_ON)
        stage.press(KeyEvent.KEYCODE_ENTER, flags = KeyEvent.FLAG_SOFT_KEYBOARD)
        assertEquals("one\n\n", stage.input.text.toString())
        assertFalse(stage.events.any { it is ChatEvent.Ask })
        stage.press(KeyEvent.KEYCODE_ENTER)
        assertEquals(ChatEvent.Ask("one\n\n"), stage.events.last())
    }

    @Test
    fun `while a reply is written the button stops it, once`() {
        val stage = stage(SampleChat.of(question(0, "a"), reply(1, "A", ReplyStatus.Active())))
        assertEquals(stage.string(R.string.stop), stage.find<View>(R.id.send).contentDescription)
        stage.click(R.id.send)
        assertEquals(listOf(ChatEvent.Stop), stage.events)
        stage.stores.chat.become(SampleChat.of(question(0, "a"), reply(1, "A", ReplyStatus.Active(stopping = true))))
        assertFalse(stage.find<View>(R.id.send).isEnabled)
        assertEquals(stage.string(R.string.stopping), stage.rows.last().words(R.id.reply_caption))
    }

    @Test
    fun `dots stand for a reply that has not begun, its text for one that has`() {
        val stage = stage(SampleChat.of(question(0, "a"), reply(1, "", ReplyStatus.Active())))
        assertTrue(stage.rows.last().has(R.id.reply_waiting))
        assertFalse(stage.rows.last().has(R.id.reply_actions))
        stage.stores.chat.become(SampleChat.of(question(0, "a"), reply(1, "Once", ReplyStatus.Active())))
        stage.settle()
        assertFalse(stage.rows.last().has(R.id.reply_waiting))
        assertEquals(listOf("Once"), stage.words(stage.rows.last()))
    }

    @Test
    fun `every end of a reply has its words`() {
        fun caption(status: ReplyStatus, text: String = "x", metrics: Boolean = false): String? {
            val chat = SampleChat.of(question(0, "a"), reply(1, text, status))
            return stage(chat, settings = Settings(showMetrics = metrics)).rows.last().words(R.id.reply_caption)
        }
        val stage = stage(nothing)
        val line = Texts(stage.activity).metrics(SampleChat.metrics)
        assertEquals(null, caption(ReplyStatus.Complete(SampleChat.metrics)))
        assertEquals(line, caption(ReplyStatus.Complete(SampleChat.metrics), metrics = true))
        assertEquals(stage.string(R.string.reply_empty), caption(ReplyStatus.Complete(null), text = ""))
        assertEquals("Stopped", caption(ReplyStatus.Stopped(SampleChat.metrics)))
        assertEquals("Stopped · $line", caption(ReplyStatus.Stopped(SampleChat.metrics), metrics = true))
        assertTrue("INTERNAL: 13" in caption(ReplyStatus.Failed("INTERNAL: 13")).orEmpty())
        assertEquals(ProblemTexts(stage.activity).whyNoAnswer(ModelProblem.Damaged), caption(ReplyStatus.NoModel(ModelProblem.Damaged), text = ""))
        assertEquals(stage.string(R.string.question_too_long), caption(ReplyStatus.ContextFull, text = ""))
    }

    @Test
    fun `a message can be copied, shared, regenerated and edited`() {
        val stage = stage(SampleChat.short)
        stage.click(stage.rows[0].findViewById<View>(R.id.copy_question))
        stage.click(stage.rows[1].findViewById<View>(R.id.copy_reply))
        assertEquals(listOf("What is element 27?", "That is cobalt."), stage.shell.copied)
        stage.click(stage.rows[1].findViewById<View>(R.id.share_reply))
        assertEquals(listOf("That is cobalt." to "How heavy is gold?"), stage.shell.shared)
        assertFalse(stage.rows[1].has(R.id.regenerate))
        assertFalse(stage.rows[0].has(R.id.edit_question))
        stage.click(stage.rows[3].findViewById<View>(R.id.regenerate))
        stage.click(stage.rows[2].findViewById<View>(R.id.edit_question))
        assertEquals(listOf(ChatEvent.Regenerate, ChatEvent.Edit), stage.events)
    }

    @Test
    fun `editing is shown, and can be left`() {
        val stage = stage(SampleChat.of(question(0, "a"), reply(1, "A")))
        stage.stores.chat.become(SampleChat.of(question(0, "a"), reply(1, "A")).copy(editing = true, draft = "a"))
        stage.settle()
        assertTrue(stage.isShown(R.id.editing))
        assertTrue(stage.input.hasFocus())
        stage.click(R.id.cancel_edit)
        assertTrue("Escape does the same", stage.page.back())
        assertEquals(listOf(ChatEvent.CancelEdit, ChatEvent.CancelEdit), stage.events)
        stage.stores.chat.become(SampleChat.of(question(0, "a"), reply(1, "A")))
        assertFalse(stage.page.back())
    }

    @Test
    fun `the numbers of one reply are shown when asked for, and hidden again`() {
        val stage = stage(SampleChat.short)
        val line = Texts(stage.activity).metrics(SampleChat.metrics)
        stage.click(stage.rows[1].findViewById<View>(R.id.more_reply))
        stage.choose("Show statistics")
        assertEquals(listOf(line, null), listOf(stage.rows[1], stage.rows[3]).map { it.words(R.id.reply_caption) })
        stage.click(stage.rows[1].findViewById<View>(R.id.more_reply))
        stage.choose("Hide statistics")
        assertEquals(null, stage.rows[1].words(R.id.reply_caption))
    }

    @Test
    fun `all of a reply can be selected in one piece`() {
        val stage = stage(SampleChat.short)
        stage.click(stage.rows[3].findViewById<View>(R.id.more_reply))
        stage.choose("Select text")
        val dialog = ShadowAlertDialog.getLatestAlertDialog() as AlertDialog
        val text = dialog.findViewById<TextView>(R.id.whole_text)
        assertEquals(SampleChat.MARKDOWN, text.text.toString())
        assertTrue(text.isTextSelectable)
        dialog.getButton(DialogInterface.BUTTON_POSITIVE).performClick()
        stage.settle()
        assertEquals(listOf(SampleChat.MARKDOWN), stage.shell.copied)
    }

    @Test
    fun `what is written on the screen can be selected`() {
        val stage = stage(SampleChat.short)
        assertTrue(stage.find<TextView>(R.id.question_text).isTextSelectable)
        fun texts(view: View): List<TextView> = when (view) {
            is TextView -> listOf(view)
            is ViewGroup -> (0 until view.childCount).flatMap { texts(view.getChildAt(it)) }
            else -> emptyList()
        }
        val first = texts(stage.rows[3].findViewById(R.id.reply_body)).first()
        assertTrue(first.text.toString(), first.isTextSelectable)
    }

    @Test
    fun `a full context can go on with a summary, or the question go to a new chat`() {
        val full = SampleChat.of(question(0, "a"), reply(1, "A"), question(2, "too long"), reply(3, "", ReplyStatus.ContextFull))
        val stage = stage(full, settings = Settings(selection = Selection(SampleLibrary.large.id)))
        val last = stage.rows.last()
        assertTrue(last.has(R.id.context_offer))
        assertEquals(stage.string(R.string.context_full), last.words(R.id.reply_caption))
        stage.click(last.findViewById<View>(R.id.go_on_summary))
        stage.click(last.findViewById<View>(R.id.go_on_new))
        val (summary, new) = stage.events
        assertTrue(summary is ChatEvent.ContinueWithSummary)
        assertEquals("too long", (new as ChatEvent.NewChat).draft)
        stage.stores.chat.become(full.copy(summaryFor = 7))
        stage.settle()
        assertTrue(stage.rows.none { it.has(R.id.context_offer) })
        stage.click(R.id.stop_summary)
        assertEquals(ChatEvent.Stop, stage.events.last())
    }

    @Test
    fun `the summary that a chat goes on from is folded away until it is asked for`() {
        val stage = stage(nothing.copy(summary = "They spoke of gold."))
        assertFalse(stage.isShown(R.id.empty))
        assertFalse(stage.isShown(R.id.carried_text))
        stage.click(R.id.carried_head)
        assertEquals("They spoke of gold.", stage.text(R.id.carried_text))
        assertTrue(stage.isShown(R.id.carried_text))
        stage.click(R.id.carried_head)
        assertFalse(stage.isShown(R.id.carried_text))
    }

    @Test
    fun `without a model there is a sentence, and ways on`() {
        val problem = ModelProblem.TooLarge(900_000_000, 700_000_000, tryAnyway = true)
        val stage = stage(nothing, ModelState.Failed(tuned, problem), settings = Settings(threads = 3))
        assertEquals(ProblemTexts(stage.activity).whyNoAnswer(problem), stage.text(R.id.problem_text))
        assertFalse(stage.isShown(R.id.empty))
        stage.type("hello?")
        assertFalse(stage.find<View>(R.id.send).isEnabled)
        stage.click(R.id.try_again)
        stage.click(R.id.load_anyway)
        assertEquals(listOf(false, true).map { tuned to EngineOptions(threads = 3, ignoreLowMemory = it) }, stage.stores.model.prepared.toList())
        stage.click(R.id.open_models)
        assertEquals(listOf(Screen.MODELS), stage.shell.opened)
        stage.stores.model.dispatch(ModelEvent.Changed(ModelState.Failed(tuned, ModelProblem.Damaged)))
        stage.settle()
        assertFalse("nothing to be had by that", stage.isShown(R.id.load_anyway))
    }

    @Test
    fun `the failure of a model that is no longer selected is not shown`() {
        val stage = stage(nothing, ModelState.Failed(Selection(SampleLibrary.base.id), ModelProblem.Damaged))
        assertTrue(stage.isShown(R.id.empty))
        stage.type("hello")
        assertTrue(stage.find<View>(R.id.send).isEnabled)
    }

    @Test
    fun `trying again asks the unanswered question again`() {
        val problem = ModelProblem.Unreadable("EIO")
        val stage = stage(SampleChat.of(question(0, "a"), reply(1, "", ReplyStatus.NoModel(problem))), ModelState.Failed(tuned, problem))
        assertEquals(stage.string(R.string.reply_no_model), stage.text(R.id.reply_caption))
        stage.click(R.id.try_again)
        assertEquals(listOf(ChatEvent.Regenerate), stage.events)
    }

    @Test
    fun `a phone without any model says so`() {
        val stage = stage(nothing, ModelState.Asleep, LibraryState(loaded = true))
        assertEquals(stage.string(R.string.no_model), stage.text(R.id.problem_text))
        assertFalse(stage.isShown(R.id.try_again))
        stage.click(R.id.open_models)
        assertEquals(listOf(Screen.MODELS), stage.shell.opened)
    }

    @Test
    fun `before anything was read nothing is said to be empty or missing`() {
        val stage = stage(ChatState(conversation = 0), ModelState.Asleep, LibraryState(loaded = false))
        assertFalse(stage.isShown(R.id.empty) || stage.rows.isNotEmpty())
        stage.type("already")
        assertFalse(stage.find<View>(R.id.send).isEnabled)
    }

    @Test
    fun `sample questions stand in an empty chat, and those not asked yet above the field later`() {
        val stage = stage(nothing)
        assertEquals(SampleLibrary.state.sampleQuestions, stage.children(R.id.samples).map { (it as TextView).text.toString() })
        assertFalse(stage.isShown(R.id.chip_scroll))
        stage.click(stage.children(R.id.samples).first())
        assertEquals(listOf(ChatEvent.Ask("How heavy is gold?")), stage.events)
        stage.stores.chat.become(SampleChat.of(question(0, "How heavy is gold?"), reply(1, "197")))
        stage.settle()
        assertEquals(SampleLibrary.state.sampleQuestions.drop(1), stage.children(R.id.chips).map { (it as TextView).text.toString() })
        assertTrue(stage.isShown(R.id.chip_scroll))
        stage.stores.chat.become(SampleChat.of(question(0, "How heavy is gold?"), reply(1, "197")).copy(draft = "my own"))
        assertFalse(stage.isShown(R.id.chip_scroll))
    }

    @Test
    fun `a question too long by itself is reported, also with a system prompt, and can only be edited`() {
        val alone = SampleChat.of(question(0, "too long"), reply(1, "", ReplyStatus.ContextFull))
        for ((prompt, words) in listOf("" to R.string.question_too_long, "Rhyme." to R.string.question_and_instruction_too_long)) {
            val stage = stage(alone, settings = Settings(systemPrompt = prompt))
            assertEquals(stage.string(words), stage.rows.last().words(R.id.reply_caption))
            assertFalse(stage.isShown(R.id.context_offer))
            assertTrue(stage.rows.first().has(R.id.edit_question))
        }
    }

    @Test
    fun `for a model of single questions every one too long is so by itself`() {
        val full = SampleChat.of(question(0, "a"), reply(1, "A"), question(2, "too long"), reply(3, "", ReplyStatus.ContextFull))
        assertFalse(SampleLibrary.manifest.remembersConversation)
        val stage = stage(full)
        assertEquals(stage.string(R.string.question_too_long), stage.rows.last().words(R.id.reply_caption))
        assertFalse(stage.isShown(R.id.context_offer))
    }
}
