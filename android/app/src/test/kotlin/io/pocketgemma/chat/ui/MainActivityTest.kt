package io.pocketgemma.chat.ui

import android.view.View
import android.widget.ScrollView
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.AppModelSource
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.ModelProblem
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** The real screen with the real runtime and real models behind it. Also takes the pictures of android/screenshots. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT)
class MainActivityTest {
    private val manifest = System.getProperty("pocketgemma.test.manifest")
        ?.let { ModelManifest.parse(File(it).readText(), "PocketGemma") }
        ?: ModelManifest("PocketGemma", remembersConversation = false)
    private val questions = System.getProperty("pocketgemma.test.questions")
        ?.let { ModelManifest.parseQuestions(File(it).readText()) }
        ?: listOf(TestModels.question)

    private fun taught() = TestScreen(FileSource(TestModels.taught, manifest, questions))

    private fun endless() = TestScreen(FileSource(TestModels.endless, ModelManifest("Endless"), maxReplyTokens = 400))

    private fun askAndShoot(theme: String) = taught().use { screen ->
        screen.untilReady()
        screen.shoot("empty-$theme")
        screen.ask(TestModels.question)
        screen.untilReplied()
        assertEquals(listOf(TestModels.question, TestModels.answer), screen.messages)
        assertTrue(screen.lastCaption, screen.lastCaption.contains("tokens/s"))
        for (question in questions.filter { it != TestModels.question }.take(2)) {
            screen.ask(question)
            screen.untilReplied()
        }
        screen.shoot("chat-$theme")
        screen.find<View>(R.id.open_about).performClick()
        assertTrue(screen.isShown(R.id.about))
        screen.shoot("about-$theme")
        assertEquals("the page opens at its top", 0, screen.find<View>(R.id.about_scroll).scrollY)
    }

    @Test
    fun `a taught question shows the right answer, in the light`() = askAndShoot("light")

    @Test
    @Config(qualifiers = "+night")
    fun `a taught question shows the right answer, in the dark`() = askAndShoot("dark")

    @Test
    fun `a sample question is asked by a tap`() = taught().use { screen ->
        screen.untilReady()
        val first = screen.samples.first()
        assertEquals(questions.first(), first.text)
        assertEquals(emptyList<String>(), screen.chips)
        first.performClick()
        screen.untilReplied()
        assertEquals(questions.drop(1), screen.chips)
        assertEquals(questions.first(), screen.messages.first())
        assertFalse(screen.isShown(R.id.empty))
    }

    @Test
    fun `stop really stops`() = endless().use { screen ->
        screen.untilReady()
        screen.ask("go on for ever")
        screen.until("something is written") { screen.messages.last().length > 3 }
        assertEquals(screen.activity.getString(R.string.stop), screen.send.contentDescription)
        screen.send.performClick()
        screen.untilReplied()
        assertTrue(screen.lastCaption, screen.lastCaption.startsWith(screen.activity.getString(R.string.stopped)))
        val tokens = Regex("\\d+").find(screen.lastCaption)
        assertTrue(screen.lastCaption, tokens == null || tokens.value.toInt() < 390)
        val atStop = screen.messages
        Thread.sleep(300)
        screen.until("some time has passed") { true }
        assertEquals(atStop, screen.messages)
    }

    @Test
    fun `turning the phone keeps the chat, the draft and the page that is open`() = taught().use { screen ->
        screen.untilReady()
        screen.ask(TestModels.question)
        screen.untilReplied()
        screen.input.setText("a draft")
        screen.turn(LANDSCAPE)
        assertEquals(listOf(TestModels.question, TestModels.answer), screen.messages)
        screen.shoot("chat-landscape")
        assertEquals("a draft", screen.input.text.toString())
        screen.find<View>(R.id.open_about).performClick()
        screen.turn(PORTRAIT)
        assertTrue(screen.isShown(R.id.about))
        screen.find<View>(R.id.close_about).performClick()
        assertFalse(screen.isShown(R.id.about))
    }

    @Test
    fun `turning the phone in the middle of a reply does not cut it`() = endless().use { screen ->
        screen.untilReady()
        screen.ask("go on")
        screen.until("something is written") { screen.messages.last().length > 3 }
        val before = screen.messages.last()
        screen.turn(LANDSCAPE)
        screen.until("more is written") { screen.messages.last().length > before.length }
        assertTrue(screen.messages.last().startsWith(before))
        screen.send.performClick()
        screen.untilReplied()
    }

    @Test
    fun `a growing reply is followed to its end, unless the person has scrolled up`() {
        val source = ScriptedSource()
        TestScreen(source).use { screen ->
            screen.untilReady()
            screen.ask("write a lot")
            fun lines() = screen.messages.last().lines().size
            val scroll = screen.find<ScrollView>(R.id.message_scroll)
            fun end() = scroll.getChildAt(0).height - scroll.height
            repeat(80) { source.more("line $it") }
            screen.until("80 lines are shown") { lines() > 80 }
            assertTrue(end() > 500)
            assertEquals(end(), scroll.scrollY)
            val read = end() - 400
            scroll.scrollTo(0, read)
            repeat(20) { source.more("line $it") }
            screen.until("100 lines are shown") { lines() > 100 }
            assertEquals(read, scroll.scrollY)
            scroll.scrollTo(0, end())
            repeat(20) { source.more("line $it") }
            screen.until("120 lines are shown") { lines() > 120 }
            assertEquals(end(), scroll.scrollY)
            source.end()
            screen.untilReplied()
        }
    }

    @Test
    fun `a new chat is empty`() = taught().use { screen ->
        screen.untilReady()
        screen.ask(TestModels.question)
        screen.untilReplied()
        screen.find<View>(R.id.new_chat).performClick()
        assertEquals(emptyList<String>(), screen.messages)
        assertTrue(screen.isShown(R.id.empty))
    }

    private fun assertSentence(problem: ModelProblem, words: String) = TestScreen(NoSource(problem)).use { screen ->
        screen.until("the problem is shown") { screen.isShown(R.id.problem) }
        val text = screen.find<TextView>(R.id.problem_text).text.toString()
        assertTrue(text, text.contains(words))
        screen.input.setText("hello?")
        assertFalse(screen.send.isEnabled)
        screen.shoot("problem-light")
        screen.find<View>(R.id.try_again).performClick()
        screen.until("it was tried again in vain") { screen.isShown(R.id.problem) }
    }

    @Test
    fun `a damaged model is a sentence`() = assertSentence(ModelProblem.Damaged, "damaged")

    @Test
    fun `a full phone is a sentence`() = assertSentence(ModelProblem.NoSpace(280_000_000), "280 MB")

    @Test
    fun `a model that the runtime refuses is a sentence`() = assertSentence(ModelProblem.Unusable("bad header"), "bad header")

    @Test
    fun `the app as it is installed, without a model in it, says so`() = TestScreen(
        AppModelSource(RuntimeEnvironment.getApplication()),
    ).use { screen ->
        screen.until("the problem is shown") { screen.isShown(R.id.problem) }
        val text = screen.find<TextView>(R.id.problem_text).text.toString()
        assertTrue(text, text.contains("model.litertlm"))
    }

    @Test
    @Config(qualifiers = "+ar-ldrtl")
    fun `in a language written from the right the screen is mirrored`() = taught().use { screen ->
        screen.untilReady()
        screen.ask(TestModels.question)
        screen.untilReplied()
        val send = IntArray(2).also(screen.send::getLocationInWindow)
        val input = IntArray(2).also(screen.input::getLocationInWindow)
        assertTrue("send at ${send[0]}, text at ${input[0]}", send[0] < input[0])
        screen.shoot("chat-rtl")
    }
}

private const val PORTRAIT = "w411dp-h891dp-port-420dpi"
private const val LANDSCAPE = "w891dp-h411dp-land-420dpi"
