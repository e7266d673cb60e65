package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.Heard
import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ManualMainThread
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelSource
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Request
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.RuntimeHost
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.model.Turn
import java.io.File
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Test

/** The host with the real runtime, on a thread of its own. The id of a model or an adapter is the path of its file. */
class LiveHostTest : RuntimeTest() {
    private val main = ManualMainThread()
    private val worker = Executors.newSingleThreadExecutor()
    private val source = object : ModelSource {
        override fun load(model: String, options: EngineOptions, onProgress: (Double) -> Unit): LanguageModel =
            LiteRtLm(File(model), cache, options)

        override fun adapter(model: String, adapter: String) = File(adapter)
    }
    private val host = RuntimeHost(source, worker, Runnable::run, main)

    @After
    fun close() {
        host.close()
        worker.shutdown()
        worker.awaitTermination(1, TimeUnit.MINUTES)
    }

    private fun request(model: File, question: String, config: ConversationConfig = ConversationConfig(), adapter: File? = null, dropOldest: Boolean = false) =
        Request(Selection(model.path, adapter?.path), EngineOptions(threads = 2), config, question, dropOldest)

    /** Runs the main thread until a condition holds. */
    private fun until(condition: () -> Boolean) {
        while (!condition()) {
            main.drain()
            Thread.sleep(1)
        }
    }

    private fun ask(request: Request): Heard {
        val heard = Heard(main)
        host.ask(request, heard)
        until { heard.end != null }
        return heard
    }

    private fun metricsOf(heard: Heard): ReplyMetrics = requireNotNull((heard.end as ReplyEnd.Complete).metrics)

    private fun after(history: List<Turn>, question: String, heard: Heard) =
        history + Turn(Role.USER, question) + Turn(Role.MODEL, heard.text!!)

    @Test
    fun `a conversation goes on at the cost of its questions, and another one is begun with its history`() {
        val first = ask(request(TestModels.taught, TestModels.question))
        assertEquals(TestModels.answer, first.text!!.trim())
        val history = after(emptyList(), TestModels.question, first)
        val second = metricsOf(ask(request(TestModels.taught, TestModels.question, ConversationConfig(history))))
        assertEquals(metricsOf(first).promptTokens.toDouble(), second.promptTokens.toDouble(), 2.0)
        val again = metricsOf(ask(request(TestModels.taught, TestModels.question, ConversationConfig(history))))
        assertTrue("$again after $second", again.promptTokens > second.promptTokens + 5)
    }

    @Test
    fun `base and adapters answer side by side, as before and after does it`() {
        val adapters = mapOf("base" to null, "A" to TestModels.adapterA, "B" to TestModels.adapterB)
        val config = ConversationConfig(sampling = greedy, replyTokens = TestModels.adapterTokens)
        for ((index, question) in TestModels.adapterQuestions.withIndex()) {
            for ((who, adapter) in adapters) {
                val heard = ask(request(TestModels.loraBase, question, config, adapter))
                assertEquals(who, TestModels.adapterAnswers(who)[index], heard.text!!.trim())
            }
        }
        assertEquals(ModelState.Ready(Selection(TestModels.loraBase.path, TestModels.adapterB.path), Backend.CPU), host.state)
    }

    @Test
    fun `two hundred turns of one conversation fit, without growing memory`() {
        var history = emptyList<Turn>()
        var after40 = 0L
        for (turn in 1..200) {
            val heard = ask(request(TestModels.taught, TestModels.question, ConversationConfig(history), dropOldest = true))
            assertTrue("turn $turn: ${heard.end}", heard.end is ReplyEnd.Complete && heard.text!!.isNotBlank())
            history = after(history, TestModels.question, heard)
            if (turn % 10 == 0) System.gc()
            if (turn == 40) after40 = requireNotNull(metricsOf(heard).memoryBytes)
            if (turn == 200) {
                val after200 = requireNotNull(metricsOf(heard).memoryBytes)
                assertTrue("$after40 bytes after 40 turns, $after200 after 200", after200 - after40 < SMALL_BYTES)
            }
        }
    }

    @Test
    fun `stop reaches a reply under way, and the next question is answered`() {
        val heard = Heard(main)
        val stop = host.ask(request(TestModels.endless, "a long one", ConversationConfig(replyTokens = 100_000)), heard)
        until { heard.texts.isNotEmpty() }
        stop.close()
        until { heard.end != null }
        // The model may have filled its context before the stop reached it.
        assertTrue("${heard.end}", heard.end is ReplyEnd.Stopped || heard.end is ReplyEnd.Complete)
        assertTrue(heard.text!!.startsWith(heard.texts.last()))
        assertEquals(TestModels.answer, ask(request(TestModels.taught, TestModels.question)).text!!.trim())
    }

    @Test
    fun `a freed model is loaded again by the next question`() {
        ask(request(TestModels.taught, TestModels.question))
        host.release()
        until { host.state == ModelState.Asleep }
        assertEquals(TestModels.answer, ask(request(TestModels.taught, TestModels.question)).text!!.trim())
    }

    @Test
    fun `a damaged model is reported, and a valid one answers afterwards`() {
        val cut = folder.newFile("cut.litertlm").apply { writeBytes(TestModels.taught.readBytes().copyOf(40_000)) }
        val end = ask(request(cut, "?")).end as ReplyEnd.NoModel
        assertTrue("$end", end.problem is ModelProblem.Unusable)
        assertEquals(ModelState.Failed(Selection(cut.path), end.problem), host.state)
        assertEquals(TestModels.answer, ask(request(TestModels.taught, TestModels.question)).text!!.trim())
    }

    @Test
    fun `without a GPU the processor answers, and the state says so`() {
        val options = EngineOptions(Backend.GPU, threads = 2)
        val heard = ask(request(TestModels.taught, TestModels.question).copy(options = options))
        val ready = host.state as ModelState.Ready
        assumeTrue("this machine has no GPU", ready.backend == Backend.CPU)
        assertEquals(TestModels.answer, heard.text!!.trim())
        assertTrue(ready.fellBack)
    }
}
