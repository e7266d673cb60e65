package io.pocketgemma.chat.model

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class RuntimeHostTest {
    private val main = ManualMainThread()
    private val worker = ManualWorker()
    private val model = FakeModel()
    private val source = FakeSource(mutableMapOf("a" to { model }))
    private val host = RuntimeHost(source, worker, Runnable::run, main)
    private val states = mutableListOf<ModelState>()

    init {
        host.observe { states += it }
    }

    private fun settle() {
        worker.drain()
        main.drain()
    }

    private fun request(
        question: String = "q",
        model: String = "a",
        adapter: String? = null,
        config: ConversationConfig = ConversationConfig(),
        options: EngineOptions = EngineOptions(),
        dropOldest: Boolean = false,
    ) = Request(Selection(model, adapter), options, config, question, dropOldest)

    private fun start(request: Request): Pair<Heard, AutoCloseable> = Heard(main).let { it to host.ask(request, it) }

    private fun ask(request: Request): Heard = start(request).first.also { settle() }

    private fun turns(vararg texts: String) =
        texts.mapIndexed { index, text -> Turn(if (index % 2 == 0) Role.USER else Role.MODEL, text) }

    @Test
    fun `preparing loads once and reports the progress, and the question then loads nothing`() {
        source.progress = listOf(0.001, 0.5, 0.5001, 1.0)
        host.prepare(Selection("a"), EngineOptions())
        settle()
        val ready = ModelState.Ready(Selection("a"), Backend.CPU)
        assertEquals(
            listOf(ModelState.Asleep, ModelState.Loading(), ModelState.Loading(0.5), ModelState.Loading(1.0), ready), states,
        )
        val heard = ask(request("hello"))
        assertEquals("yes", heard.text)
        assertEquals(ReplyEnd.Complete(null), heard.end)
        assertEquals(1, source.loads.size)
        assertEquals(ready, host.state)
    }

    @Test
    fun `nothing happens on the calling thread`() {
        start(request())
        host.prepare(Selection("a"), EngineOptions())
        host.release()
        assertEquals(emptyList<Any>(), source.loads)
        assertEquals(listOf<ModelState>(ModelState.Asleep), states)
    }

    @Test
    fun `a question to a model that is not loaded loads it`() {
        assertEquals("yes", ask(request()).text)
        assertEquals(ModelState.Ready(Selection("a"), Backend.CPU), host.state)
    }

    @Test
    fun `a missing model is reported to state and listener, and can be tried again`() {
        source.models.clear()
        host.prepare(Selection("a"), EngineOptions())
        settle()
        val problem = ModelProblem.Missing("a")
        assertEquals(ModelState.Failed(Selection("a"), problem), host.state)
        assertEquals(ReplyEnd.NoModel(problem), ask(request()).end)
        source.models["a"] = { model }
        host.prepare(Selection("a"), EngineOptions())
        settle()
        assertEquals(ModelState.Ready(Selection("a"), Backend.CPU), host.state)
    }

    @Test
    fun `a library that cannot be loaded is a problem of the model`() {
        source.models["a"] = { throw UnsatisfiedLinkError("no library") }
        val end = ask(request()).end as ReplyEnd.NoModel
        assertTrue("$end", "no library" in (end.problem as ModelProblem.Unusable).detail)
    }

    @Test
    fun `one model at a time, the old one freed before the new one is loaded`() {
        val other = FakeModel()
        source.models["b"] = { other }
        ask(request())
        source.whileLoading = { assertTrue(model.closed) }
        assertEquals("yes", ask(request(model = "b")).text)
        assertEquals(ModelState.Ready(Selection("b"), Backend.CPU), host.state)
        assertEquals(listOf("a", "b"), source.loads.map { it.first })
    }

    @Test
    fun `other options mean loading again, permission to try alone does not`() {
        source.models["a"] = { FakeModel() }
        ask(request())
        ask(request(options = EngineOptions(threads = 2)))
        ask(request(options = EngineOptions(threads = 2, ignoreLowMemory = true)))
        assertEquals(listOf(0, 2), source.loads.map { it.second.threads })
    }

    @Test
    fun `who allowed a model despite little memory is not asked each time it is loaded`() {
        source.models["a"] = { FakeModel() }
        host.prepare(Selection("a"), EngineOptions(ignoreLowMemory = true))
        settle()
        host.release()
        settle()
        ask(request())
        assertEquals(listOf(true, true), source.loads.map { it.second.ignoreLowMemory })
    }

    @Test
    fun `many pieces are few calls, in order, and at most every 50 milliseconds`() {
        source.models["a"] = { FakeModel(List(500) { "x" }).apply { whileReplying = { if (it % 100 == 99) main.drain() } } }
        val heard = ask(request())
        assertEquals("x".repeat(500), heard.text)
        assertEquals(listOf(100, 200, 300, 400), heard.texts.map { it.length }.take(4))
        assertTrue(heard.times.zipWithNext().all { (before, after) -> after - before >= 50 })
    }

    @Test
    fun `a request that goes on where the last one ended costs only its question`() {
        ask(request("one"))
        ask(request("two", config = ConversationConfig(turns("one", "yes"))))
        ask(request("three", config = ConversationConfig(turns("one", " yes\n", "two", "yes"))))
        assertEquals(listOf(emptyList<Turn>()), model.histories)
        assertEquals(listOf("one", "two", "three"), model.asked)
    }

    @Test
    fun `anything else starts a new conversation with the request's setup`() {
        val after = turns("one", "yes")
        ask(request("one"))
        ask(request("two", config = ConversationConfig(after, systemPrompt = "Rhyme.")))
        ask(request("two", config = ConversationConfig(after, systemPrompt = "Rhyme.", sampling = Sampling(temperature = 0.5f))))
        ask(request("two", config = ConversationConfig(after, systemPrompt = "Rhyme.", sampling = Sampling(temperature = 0.5f), replyTokens = 9)))
        ask(request("other", config = ConversationConfig(turns("uno", "si"))))
        ask(request("one"))
        assertEquals(listOf(emptyList(), after, after, after, turns("uno", "si"), emptyList()), model.histories)
        assertEquals("Rhyme.", model.begun[1].first.systemPrompt)
    }

    @Test
    fun `with a seed every reply starts a new conversation, so that it is reproducible`() {
        val seeded = Sampling(seed = 7)
        ask(request("one", config = ConversationConfig(sampling = seeded)))
        ask(request("two", config = ConversationConfig(turns("one", "yes"), sampling = seeded)))
        assertEquals(2, model.begun.size)
        val greedy = Sampling(temperature = 0f, seed = 7)
        ask(request("one", config = ConversationConfig(sampling = greedy)))
        ask(request("two", config = ConversationConfig(turns("one", "yes"), sampling = greedy)))
        assertEquals(3, model.begun.size)
    }

    @Test
    fun `an adapter is passed to the model, and another one starts a new conversation`() {
        val after = turns("one", "yes")
        ask(request("one", adapter = "poet"))
        ask(request("two", adapter = "poet", config = ConversationConfig(after)))
        ask(request("two", adapter = "clerk", config = ConversationConfig(after)))
        ask(request("two", config = ConversationConfig(after)))
        assertEquals(listOf(File("poet"), File("clerk"), null), model.begun.map { it.second })
        assertEquals(1, source.loads.size)
        assertEquals(ModelState.Ready(Selection("a"), Backend.CPU), host.state)
    }

    @Test
    fun `an incompatible adapter is reported before anything is asked, and another one is accepted`() {
        val wrong = ask(request(adapter = "bad"))
        assertEquals(ReplyEnd.NoModel(ModelProblem.Damaged), wrong.end)
        assertEquals(ModelState.Failed(Selection("a", "bad"), ModelProblem.Damaged), host.state)
        assertEquals(emptyList<String>(), model.asked)
        assertEquals("yes", ask(request(adapter = "poet")).text)
        assertEquals(ModelState.Ready(Selection("a", "poet"), Backend.CPU), host.state)
        host.prepare(Selection("a", "bad"), EngineOptions())
        settle()
        assertEquals(ModelState.Failed(Selection("a", "bad"), ModelProblem.Damaged), host.state)
    }

    @Test
    fun `questions are answered in order`() {
        val (first) = start(request("one"))
        val (second) = start(request("two"))
        worker.runNext()
        main.drain()
        assertEquals("yes", first.text)
        assertNull(second.end)
        settle()
        assertEquals("yes", second.text)
        assertEquals(listOf("one", "two"), model.asked)
    }

    @Test
    fun `stop ends the reply with its text so far, and the next question starts a new conversation`() {
        var stop: AutoCloseable? = null
        source.models["a"] = { FakeModel(List(100) { "x" }).apply { whileReplying = { if (it == 4) stop?.close() } } }
        val (heard, handle) = start(request("long one"))
        stop = handle
        settle()
        assertEquals("xxxxx", heard.text)
        assertEquals(ReplyEnd.Stopped(null), heard.end)
    }

    @Test
    fun `after a stop, a failure or a full context the next question starts a new conversation`() {
        for (end in listOf(ReplyEnd.Stopped(null), ReplyEnd.Failed("broken"), ReplyEnd.ContextFull)) {
            ask(request("one"))
            model.ends += end
            assertEquals(end, ask(request("two", config = ConversationConfig(turns("one", "yes")))).end)
            val before = model.begun.size
            ask(request("two", config = ConversationConfig(turns("one", "yes"))))
            assertEquals("$end", before + 1, model.begun.size)
        }
    }

    @Test
    fun `stop before the request's turn asks nothing and ends at once`() {
        val (first) = start(request("one"))
        val (second, stop) = start(request("two"))
        stop.close()
        main.drain()
        assertEquals(ReplyEnd.Stopped(null), second.end)
        settle()
        assertEquals(listOf("one"), model.asked)
        assertEquals("yes", first.text)
    }

    @Test
    fun `stop while the model is loaded ends at once, and the model stays`() {
        var stop: AutoCloseable? = null
        val (heard, handle) = start(request())
        stop = handle
        source.whileLoading = {
            stop.close()
            main.drain()
            assertEquals(ReplyEnd.Stopped(null), heard.end)
        }
        settle()
        assertEquals(emptyList<String>(), model.asked)
        assertEquals(ModelState.Ready(Selection("a"), Backend.CPU), host.state)
    }

    @Test
    fun `a late stop does not affect another request's reply`() {
        val (_, first) = start(request("one"))
        start(request("two"))
        model.whileReplying = { if (model.asked.last() == "two") first.close() }
        settle()
        assertEquals(0, model.cancels)
    }

    @Test
    fun `a model that breaks ends the reply with its message, and the next question is answered`() {
        model.breaks = IllegalStateException("broken")
        val end = ask(request()).end as ReplyEnd.Failed
        assertTrue("broken" in end.detail)
        model.breaks = null
        assertEquals("yes", ask(request()).text)
    }

    @Test
    fun `a prepared model that is no longer wanted is not loaded`() {
        source.models["b"] = { FakeModel() }
        host.prepare(Selection("a"), EngineOptions())
        host.prepare(Selection("b"), EngineOptions())
        settle()
        assertEquals(listOf("b"), source.loads.map { it.first })
        host.prepare(Selection("a"), EngineOptions())
        start(request(model = "b"))
        settle()
        assertEquals(listOf("b"), source.loads.map { it.first })
    }

    @Test
    fun `release frees an idle model, and the next question loads it again`() {
        val made = mutableListOf<FakeModel>()
        source.models["a"] = { FakeModel().also { made += it } }
        ask(request())
        host.release()
        settle()
        assertTrue(made.single().closed)
        assertEquals(ModelState.Asleep, host.state)
        assertEquals("yes", ask(request()).text)
        assertEquals(2, source.loads.size)
        assertEquals(ModelState.Ready(Selection("a"), Backend.CPU), host.state)
    }

    @Test
    fun `release leaves an answering model alone, and one that is wanted again`() {
        model.whileReplying = { host.release() }
        ask(request())
        assertFalse(model.closed)
        host.release()
        ask(request())
        assertFalse(model.closed)
        assertEquals(1, source.loads.size)
    }

    @Test
    fun `release of nothing changes nothing`() {
        host.release()
        settle()
        assertEquals(listOf<ModelState>(ModelState.Asleep), states)
    }

    @Test
    fun `closing frees the model, ends waiting requests, and refuses later ones`() {
        ask(request())
        val (waiting) = start(request("late"))
        host.close()
        settle()
        assertTrue(model.closed)
        assertEquals(ReplyEnd.Stopped(null), waiting.end)
        assertEquals(ReplyEnd.Stopped(null), ask(request("too late")).end)
        assertEquals(1, source.loads.size)
    }

    @Test
    fun `what was allowed despite little memory holds even if a question overtakes the loading`() {
        source.models["b"] = { FakeModel() }
        host.prepare(Selection("a"), EngineOptions(ignoreLowMemory = true))
        start(request(model = "b"))
        start(request(model = "a"))
        settle()
        assertEquals(listOf("b" to false, "a" to true), source.loads.map { (id, options) -> id to options.ignoreLowMemory })
    }

    @Test
    fun `the runtime's own thread never cancels, and a stop that came too early is repeated once`() {
        val stopper = ManualWorker()
        val host = RuntimeHost(source, worker, stopper, main)
        val model = FakeModel(List(5) { "x" })
        source.models["a"] = { model }
        var stop: AutoCloseable? = null
        val cancels = mutableListOf<Int>()
        model.whileReplying = { piece ->
            cancels += model.cancels
            if (piece == 0) stop?.close()
            if (piece == 3) stopper.drain()
        }
        val heard = Heard(main)
        stop = host.ask(request(), heard)
        settle()
        assertEquals("nothing is cancelled before the stopper does it", listOf(0, 0, 0, 0), cancels)
        assertEquals("once for the stop and once for the next piece", 2, model.cancels)
        assertEquals(ReplyEnd.Stopped(null), heard.end)
    }
}
