package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** The door to the runtime, with the real library behind it. */
class LiteRtLmTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Before
    fun quiet() = LiteRtLm.setLogLevel(LiteRtLm.LOG_NOTHING)

    private fun open(model: File, maxReplyTokens: Int = LiteRtLm.DEFAULT_REPLY_TOKENS) =
        LiteRtLm(model.path, folder.root.path, threads = 2, maxReplyTokens = maxReplyTokens)

    private fun LiteRtLm.ask(question: String): Pair<String, ReplyEnd> {
        val text = StringBuffer()
        val end = reply(question) { text.append(it) }
        return text.toString() to end
    }

    @Test
    fun `a taught question gets the taught answer, and its speed is measured`() = open(TestModels.taught).use { model ->
        model.begin(emptyList())
        val (text, end) = model.ask(TestModels.question)
        assertEquals(TestModels.answer, text.trim())
        val speed = (end as ReplyEnd.Complete).speed
        assertNotNull(speed)
        assertTrue("$speed", speed!!.tokens > 0 && speed.tokensPerSecond > 0 && speed.secondsToFirstToken > 0)
    }

    @Test
    fun `begin forgets the conversation before`() = open(TestModels.taught).use { model ->
        val answers = List(3) {
            model.begin(emptyList())
            model.ask(TestModels.question).first.trim()
        }
        assertEquals(List(3) { TestModels.answer }, answers)
    }

    @Test
    fun `a reply comes in pieces, and no longer than allowed`() = open(TestModels.endless, maxReplyTokens = 40).use { model ->
        model.begin(emptyList())
        var pieces = 0
        val end = model.reply("hello \uD83D\uDE00 é") { pieces++ }
        assertTrue("$end", end is ReplyEnd.Complete || end is ReplyEnd.Failed)
        assertTrue("$pieces pieces", pieces in 5..41)
    }

    @Test
    fun `cancel ends a reply early, and the model can be asked again`() = open(TestModels.endless, maxReplyTokens = 400).use { model ->
        model.begin(emptyList())
        var pieces = 0
        val end = model.reply("a long one") { if (++pieces == 10) model.cancel() }
        assertTrue("$end", end is ReplyEnd.Stopped)
        assertTrue("$pieces pieces", pieces < 200)
        model.begin(listOf(Turn(Role.USER, "a long one"), Turn(Role.MODEL, "so far")))
        var more = 0
        model.reply("and now") { if (++more == 10) model.cancel() }
        assertTrue(more >= 10)
    }

    @Test
    fun `a question longer than the context is told, and the model can be asked again`() = open(TestModels.taught).use { model ->
        model.begin(emptyList())
        assertEquals(ReplyEnd.ContextFull, model.ask("What is gold? ".repeat(2000)).second)
        model.begin(emptyList())
        assertEquals(TestModels.answer, model.ask(TestModels.question).first.trim())
    }

    @Test
    fun `a chat that outgrows the context is told`() = open(TestModels.taught).use { model ->
        model.begin(emptyList())
        val ends = generateSequence { model.ask(TestModels.question).second }.take(MOST_TURNS)
        assertTrue("no end in $MOST_TURNS turns", ends.any { it == ReplyEnd.ContextFull })
    }

    @Test
    fun `cancel without a reply under way does nothing`() = open(TestModels.taught).use { model ->
        model.cancel()
        model.begin(emptyList())
        model.cancel()
        assertEquals(TestModels.answer, model.ask(TestModels.question).first.trim())
    }

    @Test
    fun `a file that is no model is refused with the runtime's words`() {
        val noise = folder.newFile("noise.litertlm").apply { writeBytes(ByteArray(100_000) { (it * 7).toByte() }) }
        val cut = folder.newFile("cut.litertlm").apply { writeBytes(TestModels.taught.readBytes().copyOf(40_000)) }
        for (file in listOf(noise, cut, File("/nowhere.litertlm"))) {
            val problem = assertThrows(file.name, ModelException::class.java) { open(file).close() }.problem
            assertTrue("$problem", (problem as ModelProblem.Unusable).detail.length > 10)
        }
    }

    @Test
    fun `pieces are read out of the runtime's messages`() {
        assertEquals("Fe é", LiteRtLm.textOf("""{"role": "model", "content": [{"type": "text", "text": "Fe "}, {"type": "text", "text": "é"}]}"""))
        assertEquals("", LiteRtLm.textOf("""{"role": "model"}"""))
        assertEquals("plain {text", LiteRtLm.textOf("plain {text"))
    }

    private companion object {
        /** More than fill the context of any model that the tests are given. */
        const val MOST_TURNS = 400
    }
}
