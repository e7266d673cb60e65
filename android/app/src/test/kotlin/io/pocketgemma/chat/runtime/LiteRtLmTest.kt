package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Test

/** The interface to the runtime, with the real library. */
class LiteRtLmTest : RuntimeTest() {
    private fun metricsOf(end: ReplyEnd): ReplyMetrics = requireNotNull((end as ReplyEnd.Complete).metrics)

    @Test
    fun `a taught question gets the taught answer, and what it cost is measured`() = open(TestModels.taught).use { model ->
        model.begin(ConversationConfig(), null)
        val (text, end) = model.ask(TestModels.question)
        assertEquals(TestModels.answer, text)
        val metrics = metricsOf(end)
        assertTrue("$metrics", metrics.tokens > 0 && metrics.tokensPerSecond > 0 && metrics.secondsToFirstToken > 0)
        assertTrue("$metrics", metrics.promptTokens in 5..60 && metrics.promptTokensPerSecond > 0)
        assertTrue("$metrics", requireNotNull(metrics.memoryBytes) > TestModels.taught.length())
    }

    @Test
    fun `a prompt is read once`() = open(TestModels.taught).use { model ->
        model.begin(ConversationConfig(), null)
        val first = metricsOf(model.ask(TestModels.question).second)
        val second = metricsOf(model.ask(TestModels.question).second)
        assertEquals(first.promptTokens.toDouble(), second.promptTokens.toDouble(), 2.0)
        model.begin(ConversationConfig(listOf(Turn(Role.USER, TestModels.question), Turn(Role.MODEL, TestModels.answer))), null)
        val again = metricsOf(model.ask(TestModels.question).second)
        assertTrue("$again after $first", again.promptTokens > first.promptTokens + 5)
    }

    @Test
    fun `begin forgets the conversation before`() = open(TestModels.taught).use { model ->
        val answers = List(3) {
            model.begin(ConversationConfig(), null)
            model.ask(TestModels.question).first
        }
        assertEquals(List(3) { TestModels.answer }, answers)
    }

    @Test
    fun `two conversations go back and forth, each with its history`() = open(TestModels.endless).use { model ->
        val configs = listOf("one", "two").map { ConversationConfig(listOf(Turn(Role.USER, it), Turn(Role.MODEL, "I see $it.")), replyTokens = 12) }
        fun answers() = configs.map { config ->
            model.begin(config, null)
            List(2) { model.ask("and now?").first }
        }
        val first = answers()
        assertTrue("$first", first[0] != first[1])
        assertEquals(first, answers())
    }

    @Test
    fun `a reply comes in pieces, and no longer than allowed`() = open(TestModels.endless).use { model ->
        model.begin(ConversationConfig(replyTokens = 40), null)
        var pieces = 0
        val end = model.reply("hello \uD83D\uDE00 é") { pieces++ }
        assertTrue("$end", end is ReplyEnd.Complete && end.metrics!!.tokens <= 40)
        assertTrue("$pieces pieces", pieces in 5..41)
    }

    @Test
    fun `cancel ends a reply early and reports its cost, and the model can be asked again`() = open(TestModels.endless).use { model ->
        model.begin(ConversationConfig(replyTokens = 400), null)
        var pieces = 0
        val end = model.reply("a long one") { if (++pieces == 10) model.cancel() }
        assertTrue("$end", end is ReplyEnd.Stopped && end.metrics!!.tokens in 10..200)
        assertTrue("$pieces pieces", pieces < 200)
        model.begin(ConversationConfig(listOf(Turn(Role.USER, "a long one"), Turn(Role.MODEL, "so far"))), null)
        var more = 0
        model.reply("and now") { if (++more == 10) model.cancel() }
        assertTrue(more >= 10)
    }

    @Test
    fun `cancel without a reply under way does nothing`() = open(TestModels.taught).use { model ->
        model.cancel()
        model.begin(ConversationConfig(), null)
        model.cancel()
        assertEquals(TestModels.answer, model.ask(TestModels.question).first)
    }

    @Test
    fun `a listener that breaks does not hang the reply`() = open(TestModels.taught).use { model ->
        model.begin(ConversationConfig(), null)
        val errors = System.err
        val end = try {
            System.setErr(java.io.PrintStream(java.io.ByteArrayOutputStream()))
            model.reply(TestModels.question) { throw IllegalStateException("listener") }
        } finally {
            System.setErr(errors)
        }
        assertTrue("$end", end is ReplyEnd.Complete)
    }

    @Test
    fun `a question longer than the context is reported, and the model can be asked again`() = open(TestModels.taught).use { model ->
        model.begin(ConversationConfig(), null)
        assertEquals(ReplyEnd.ContextFull, model.ask("What is gold? ".repeat(2000)).second)
        model.begin(ConversationConfig(), null)
        assertEquals(TestModels.answer, model.ask(TestModels.question).first)
    }

    @Test
    fun `a chat that outgrows the context is reported`() = open(TestModels.taught).use { model ->
        model.begin(ConversationConfig(), null)
        val ends = generateSequence { model.ask(TestModels.question).second }.take(MAX_TURNS)
        assertTrue("no end in $MAX_TURNS turns", ends.any { it == ReplyEnd.ContextFull })
    }

    @Test
    fun `a chat whose last reply filled the context completely is reported`() = open(TestModels.endless).use { model ->
        model.begin(ConversationConfig(replyTokens = 100_000), null)
        assertTrue(model.ask("go on").first.isNotEmpty())
        assertEquals("" to ReplyEnd.ContextFull, model.ask("go on"))
    }

    @Test
    fun `the length of the context and of texts are in tokens`() = open(TestModels.taught).use { model ->
        val context = requireNotNull(model.contextTokens)
        assertTrue("$context", context in 256..8192)
        assertEquals(0, model.countTokens(""))
        val short = model.countTokens(TestModels.question)
        assertTrue("$short", short in 2..TestModels.question.length)
        assertTrue(model.countTokens(TestModels.question.repeat(10)) in 8 * short..10 * short)
    }

    @Test
    fun `two hundred replies need no more memory than forty`() = open(TestModels.taught).use { model ->
        var history = emptyList<Turn>()
        var after40 = 0L
        var last = 0L
        for (turn in 1..200) {
            if (history.size % 8 == 0) {
                history = history.takeLast(2)
                model.begin(ConversationConfig(history), null)
            }
            val (text, end) = model.ask(TestModels.question)
            history = history + Turn(Role.USER, TestModels.question) + Turn(Role.MODEL, text)
            // Garbage of the virtual machine does not count.
            if (turn % 10 == 0) System.gc()
            last = requireNotNull(metricsOf(end).memoryBytes)
            if (turn == 40) after40 = last
        }
        assertTrue("$after40 bytes after 40 replies, $last after 200", last - after40 < SMALL_BYTES)
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
    fun `a machine without a GPU says so, and can go on with the processor`() {
        repeat(2) {
            try {
                open(TestModels.taught, EngineOptions(Backend.GPU)).close()
                assumeTrue("this machine has a GPU", false)
            } catch (error: ModelException) {
                assertTrue("$error", error.problem is ModelProblem.Unusable)
            }
        }
        open(TestModels.taught).use { model ->
            assertEquals(Backend.CPU, model.backend)
            model.begin(ConversationConfig(), null)
            assertEquals(TestModels.answer, model.ask(TestModels.question).first)
        }
    }

    @Test
    fun `pieces are read out of the runtime's messages`() {
        val parts = """[{"type": "text", "text": "Fe "}, {"type": "text", "text": "é"}]"""
        assertEquals("Fe é", Messages.textOf("""{"role": "model", "content": $parts}"""))
        assertEquals("Fe é", Messages.textOf("""{"role": "model", "content": "Fe é"}"""))
        assertEquals("", Messages.textOf("""{"role": "model"}"""))
        assertEquals("plain {text", Messages.textOf("plain {text"))
    }

    @Test
    fun `memory is read from what the system says, and unknown where it says nothing`() {
        val status = folder.newFile("status")
        status.writeText("Name:\tapp\nVmPeak:\t  9000 kB\nVmRSS:\t  1234 kB\n")
        assertEquals(1234L * 1024, residentBytes(status))
        status.writeText("Name:\tapp\n")
        assertEquals(null, residentBytes(status))
        assertEquals(null, residentBytes(File(folder.root, "nothing")))
        assertNotNull(residentBytes())
    }

    private companion object {
        /** More than the context of any model in the tests. */
        const val MAX_TURNS = 400
    }
}
