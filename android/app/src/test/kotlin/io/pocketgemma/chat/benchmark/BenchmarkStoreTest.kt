package io.pocketgemma.chat.benchmark

import io.pocketgemma.chat.fake.ChatFixture
import io.pocketgemma.chat.fake.Shelf
import io.pocketgemma.chat.fake.last
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.model.Turn
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

class BenchmarkStoreTest {
    private val world = ChatFixture()
    private val host = world.host

    private fun store(runs: Int = 3) =
        BenchmarkStore(host, world.inference).also { it.dispatch(BenchmarkEvent.SetRuns(runs)) }

    private fun metrics(speed: Double) = ReplyMetrics(speed / 10, 100, speed * 2, 64, speed)

    private fun end(speed: Double) = host.last.end("text", ReplyEnd.Complete(metrics(speed)))

    @Test
    fun `one run warms up, and so many are counted as were wanted`() {
        val store = store()
        store.dispatch(BenchmarkEvent.Start)
        assertFalse(store.state.warm)
        end(1.0)
        assertTrue(store.state.warm)
        assertEquals(emptyList<ReplyMetrics>(), store.state.results)
        end(10.0)
        end(30.0)
        assertTrue(store.state.running)
        end(20.0)
        assertFalse(store.state.running)
        assertEquals(listOf(10.0, 30.0, 20.0), store.state.results.map { it.tokensPerSecond })
        assertEquals(20.0, store.state.median?.tokensPerSecond)
        assertEquals(4, host.asked.size)
    }

    @Test
    fun `every run asks the same in a conversation of its own, whatever is set meanwhile`() {
        world.settings.change { it.copy(systemPrompt = "Be brief.", replyTokens = 9) }
        val store = store()
        store.dispatch(BenchmarkEvent.Start)
        end(1.0)
        world.settings.change { it.copy(threads = 7, selection = Selection("gemma", "poems")) }
        end(2.0)
        assertEquals(1, host.asked.map { it.request }.toSet().size)
        val request = host.last.request
        assertEquals(Shelf.tuned, request.selection)
        assertEquals(emptyList<Turn>(), request.config.history)
        assertEquals("", request.config.systemPrompt)
        assertEquals(0f, request.config.sampling?.temperature)
        assertEquals(64, request.config.replyTokens)
        assertFalse(request.dropOldest)
    }

    @Test
    fun `it reports the model, the backend in use, and the number of threads`() {
        val store = store()
        store.dispatch(BenchmarkEvent.Start)
        assertEquals(Shelf.tuned, store.state.selection)
        assertEquals(EngineOptions().usedThreads, store.state.threads)
        assertTrue(store.state.threads > 0)
        assertNull(store.state.backend)
        host.dispatch(ModelEvent.Changed(ModelState.Ready(Shelf.tuned, Backend.CPU, fellBack = true)))
        end(1.0)
        assertEquals(Backend.CPU, store.state.backend)
    }

    @Test
    fun `stop keeps what was measured`() {
        val store = store()
        store.dispatch(BenchmarkEvent.Start)
        end(1.0)
        end(2.0)
        val stopped = host.last
        store.dispatch(BenchmarkEvent.Stop)
        assertEquals(1, stopped.stops)
        assertFalse(store.state.running)
        stopped.end("late", ReplyEnd.Complete(metrics(9.0)))
        assertEquals(listOf(2.0), store.state.results.map { it.tokensPerSecond })
        assertEquals(3, host.asked.size)
    }

    @Test
    fun `what comes late from a run that was stopped is not taken for one of the next`() {
        val store = store()
        store.dispatch(BenchmarkEvent.Start)
        val old = host.last
        store.dispatch(BenchmarkEvent.Stop)
        store.dispatch(BenchmarkEvent.Start)
        val running = store.state
        old.end("late", ReplyEnd.Complete(metrics(9.0)))
        old.end("late", ReplyEnd.Failed("late"))
        assertSame(running, store.state)
        assertEquals(2, host.asked.size)
    }

    @Test
    fun `the next one measures who is chosen then, and forgets the last results`() {
        val store = store(runs = 1)
        store.dispatch(BenchmarkEvent.Start)
        end(1.0)
        end(2.0)
        world.settings.change { it.copy(selection = Selection("single")) }
        store.dispatch(BenchmarkEvent.Start)
        assertEquals(Selection("single"), host.last.request.selection)
        assertEquals(BenchmarkState(1, running = true, selection = Selection("single"), threads = EngineOptions().usedThreads), store.state)
    }

    @Test
    fun `a run that fails ends it with the reason`() {
        val ends = mapOf(
            ReplyEnd.NoModel(ModelProblem.Damaged) to BenchmarkState.Problem.Model(ModelProblem.Damaged),
            ReplyEnd.Failed("broken") to BenchmarkState.Problem.Runtime("broken"),
            ReplyEnd.ContextFull to BenchmarkState.Problem.Runtime("the prompt and the reply do not fit into the model's context"),
            ReplyEnd.Complete(null) to BenchmarkState.Problem.Runtime("the runtime gave no numbers"),
        )
        for ((end, problem) in ends) {
            val store = store()
            store.dispatch(BenchmarkEvent.Start)
            host.last.end("", end)
            assertEquals(problem, store.state.problem)
            assertFalse(store.state.running)
            store.dispatch(BenchmarkEvent.Start)
            assertNull(store.state.problem)
        }
    }

    @Test
    fun `a run that something else stopped ends it without results that were not measured`() {
        val store = store()
        store.dispatch(BenchmarkEvent.Start)
        host.last.end("", ReplyEnd.Stopped(null))
        assertFalse(store.state.running)
        assertNull(store.state.problem)
        assertNull(store.state.median)
    }

    @Test
    fun `the number of runs has limits and stands while it runs`() {
        val store = store(runs = 99)
        assertEquals(20, store.state.runs)
        store.dispatch(BenchmarkEvent.SetRuns(0))
        assertEquals(1, store.state.runs)
        store.dispatch(BenchmarkEvent.Start)
        store.dispatch(BenchmarkEvent.SetRuns(5))
        store.dispatch(BenchmarkEvent.Start)
        assertEquals(1, store.state.runs)
        assertEquals(1, host.asked.size)
    }

    @Test
    fun `started before anything is known, it waits, and can be stopped`() {
        val early = ChatFixture(loaded = false)
        val store = BenchmarkStore(early.host, early.inference)
        store.dispatch(BenchmarkEvent.Start)
        store.dispatch(BenchmarkEvent.Stop)
        early.load()
        assertEquals(0, early.host.asked.size)
        store.dispatch(BenchmarkEvent.Start)
        assertEquals(1, early.host.asked.size)
    }

    @Test
    fun `the median of each number is its own, and memory is the most`() {
        val results = listOf(metrics(1.0), metrics(3.0).copy(memoryBytes = 5), metrics(2.0).copy(memoryBytes = 9), metrics(4.0))
        assertEquals(ReplyMetrics(0.25, 100, 5.0, 64, 2.5, memoryBytes = 9), medianOf(results))
        assertNull(medianOf(emptyList()))
    }
}
