package io.pocketgemma.chat.model

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** A GPU that does not work, and a history that does not fit. */
class HostFallbackTest {
    private val main = ManualMainThread()
    private val worker = ManualWorker()
    private val gpu = EngineOptions(Backend.GPU)
    private val fellBack = ModelState.Ready(Selection("a"), Backend.CPU, fellBack = true)

    private fun host(load: () -> LanguageModel) = FakeSource(mutableMapOf("a" to load)).let { it to RuntimeHost(it, worker, Runnable::run, main) }

    private fun RuntimeHost.ask(
        config: ConversationConfig = ConversationConfig(), options: EngineOptions = EngineOptions(), question: String = "q", dropOldest: Boolean = false,
    ): Heard {
        val heard = Heard(main)
        ask(Request(Selection("a"), options, config, question, dropOldest), heard)
        worker.drain()
        main.drain()
        return heard
    }

    private fun loadsOf(source: FakeSource) = source.loads.map { it.second.backend }

    @Test
    fun `a GPU that works is used`() {
        val (source, host) = host { FakeModel(backend = Backend.GPU) }
        assertEquals("yes", host.ask(options = gpu).text)
        assertEquals(ModelState.Ready(Selection("a"), Backend.GPU), host.state)
        assertEquals(listOf(Backend.GPU), loadsOf(source))
    }

    @Test
    fun `a GPU that refuses the model leaves it to the processor, and is not tried at each question`() {
        val made = ArrayDeque(listOf(null, FakeModel()))
        val (source, host) = host { made.removeFirst() ?: throw ModelException(ModelProblem.Unusable("no GPU")) }
        assertEquals("yes", host.ask(options = gpu).text)
        assertEquals(fellBack, host.state)
        host.ask(options = gpu)
        assertEquals(listOf(Backend.GPU, Backend.CPU), loadsOf(source))
    }

    @Test
    fun `a missing file is no reason to try the processor`() {
        val (source, host) = host { throw ModelException(ModelProblem.Damaged) }
        assertEquals(ReplyEnd.NoModel(ModelProblem.Damaged), host.ask(options = gpu).end)
        assertEquals(listOf(Backend.GPU), loadsOf(source))
    }

    @Test
    fun `a model that works on neither GPU nor CPU is reported with the CPU's problem`() {
        var tries = 0
        val (_, host) = host { throw ModelException(ModelProblem.Unusable("try ${++tries}")) }
        assertEquals(ReplyEnd.NoModel(ModelProblem.Unusable("try 2")), host.ask(options = gpu).end)
    }

    @Test
    fun `a GPU that fails at the first reply leaves it to the processor`() {
        for (break_ in listOf<FakeModel.() -> Unit>(
            { ends += ReplyEnd.Failed("shader") },
            { breaks = IllegalStateException("shader") },
            { refusesToBegin = ModelException(ModelProblem.Unusable("shader")) },
        )) {
            val broken = FakeModel(backend = Backend.GPU).apply(break_)
            val made = ArrayDeque(listOf(broken, FakeModel()))
            val (source, host) = host { made.removeFirst() }
            assertEquals("yes", host.ask(options = gpu).text)
            assertEquals(fellBack, host.state)
            assertTrue(broken.closed)
            assertEquals(listOf(Backend.GPU, Backend.CPU), loadsOf(source))
        }
    }

    @Test
    fun `the oldest turns are left out until everything fits`() {
        val model = FakeModel(contextTokens = 200)
        val (_, host) = host { model }
        val history = List(20) { Turn(if (it % 2 == 0) Role.USER else Role.MODEL, "%02d".format(it) + "x".repeat(10)) }
        host.ask(ConversationConfig(history, replyTokens = 40), dropOldest = true)
        val kept = model.histories.single()
        assertEquals(history.takeLast(kept.size), kept)
        assertEquals(Role.USER, kept.first().role)
        // Each turn is 20 with its markers; the question (9) and the reply (40) need room too, and some is left for the next ones.
        assertTrue("${kept.size} turns", kept.size in 4..7)
    }

    @Test
    fun `what fits is kept whole, and without permission nothing is left out`() {
        val model = FakeModel(contextTokens = 200)
        val (_, host) = host { model }
        val short = listOf(Turn(Role.USER, "one"), Turn(Role.MODEL, "two"))
        host.ask(ConversationConfig(short, replyTokens = 40), dropOldest = true)
        val long = List(20) { Turn(if (it % 2 == 0) Role.USER else Role.MODEL, "x".repeat(10)) }
        host.ask(ConversationConfig(long, replyTokens = 40))
        assertEquals(listOf(short, long), model.histories)
    }

    @Test
    fun `after dropping turns, the conversation continues for a while without starting over`() {
        val model = FakeModel(contextTokens = 400)
        val (_, host) = host { model }
        var history = emptyList<Turn>()
        repeat(40) {
            val heard = host.ask(ConversationConfig(history, replyTokens = 20), question = "question", dropOldest = true)
            history = history + Turn(Role.USER, "question") + Turn(Role.MODEL, heard.text!!)
        }
        assertEquals(40, model.asked.size)
        assertTrue("begun ${model.begun.size} times", model.begun.size in 3..15)
    }

    @Test
    fun `long replies allowed do not crowd out the history`() {
        val model = FakeModel(contextTokens = 200)
        val (_, host) = host { model }
        val history = listOf(Turn(Role.USER, "one"), Turn(Role.MODEL, "two"))
        host.ask(ConversationConfig(history, replyTokens = 4096), dropOldest = true)
        assertEquals(listOf(history), model.histories)
    }

    @Test
    fun `where the runtime finds the context full, more is left out, to the question alone`() {
        val model = FakeModel().apply { repeat(2) { ends += ReplyEnd.ContextFull } }
        val (_, host) = host { model }
        val history = List(6) { Turn(if (it % 2 == 0) Role.USER else Role.MODEL, "turn $it") }
        assertEquals("yes", host.ask(ConversationConfig(history), dropOldest = true).text)
        assertEquals(listOf(history, history.drop(4), emptyList()), model.histories)
        model.ends += ReplyEnd.ContextFull
        assertEquals(ReplyEnd.ContextFull, host.ask(question = "too long", dropOldest = true).end)
    }
}
