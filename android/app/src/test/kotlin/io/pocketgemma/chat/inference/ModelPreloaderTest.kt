package io.pocketgemma.chat.inference

import io.pocketgemma.chat.benchmark.BenchmarkEvent
import io.pocketgemma.chat.benchmark.BenchmarkStore
import io.pocketgemma.chat.fake.ChatFixture
import io.pocketgemma.chat.fake.Shelf
import io.pocketgemma.chat.fake.ask
import io.pocketgemma.chat.fake.last
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.Origin
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsEvent
import org.junit.Assert.assertEquals
import org.junit.Test

class ModelPreloaderTest {
    private val poems = Selection("gemma", "poems")

    @Test
    fun `the chosen model is loaded before the first question, once settings and library are known`() {
        val world = ChatFixture(loaded = false)
        world.store()
        world.pass(1000)
        assertEquals(emptyList<Any>(), world.host.prepared)
        world.load(Settings(selection = poems, threads = 2))
        assertEquals(listOf(poems to EngineOptions(threads = 2)), world.host.prepared)
    }

    @Test
    fun `a choice on its way loads nothing until it rests, and nothing else that is set does`() {
        val world = ChatFixture()
        world.store()
        world.pass(1000)
        for (threads in 1..8) {
            world.settings.change { it.copy(threads = threads) }
            world.pass(100)
        }
        world.pass(1000)
        world.settings.change { it.copy(replyTokens = 99, systemPrompt = "Be brief.") }
        world.pass(1000)
        assertEquals(listOf(Shelf.tuned to EngineOptions(), Shelf.tuned to EngineOptions(threads = 8)), world.host.prepared)
    }

    @Test
    fun `while a reply is being written nothing else is loaded, but after it`() {
        val world = ChatFixture()
        val store = world.store()
        world.pass(1000)
        store.ask("q")
        world.settings.change { it.copy(selection = poems) }
        world.pass(1000)
        assertEquals(1, world.host.prepared.size)
        world.host.last.end("a")
        assertEquals(poems, world.host.prepared.last().first)
        assertEquals(2, world.host.prepared.size)
    }

    @Test
    fun `between the runs of a benchmark nothing else is loaded`() {
        val world = ChatFixture()
        world.store()
        val benchmark = BenchmarkStore(world.host, world.inference)
        benchmark.dispatch(BenchmarkEvent.SetRuns(1))
        benchmark.dispatch(BenchmarkEvent.Start)
        world.settings.change { it.copy(selection = poems) }
        world.pass(1000)
        world.host.last.end("", ReplyEnd.Complete(NUMBERS))
        assertEquals(1, world.host.prepared.size)
        world.host.last.end("", ReplyEnd.Complete(NUMBERS))
        assertEquals(listOf(Shelf.tuned, poems), world.host.prepared.map { it.first })
    }

    @Test
    fun `a removed adapter, and an app without a model`() {
        val world = ChatFixture()
        world.store()
        world.pass(1000)
        world.settings.change { it.copy(selection = poems) }
        world.pass(1000)
        world.library.dispatch(LibraryEvent.Remove("poems"))
        world.pass(1000)
        world.library.dispatch(LibraryEvent.Loaded(emptyList(), emptyList(), emptyList(), null, null))
        world.pass(1000)
        assertEquals(listOf(Shelf.tuned, poems, Shelf.tuned), world.host.prepared.map { it.first })
    }

    @Test
    fun `a missing model is loaded once its file has come, and not again while it is the same`() {
        val world = ChatFixture(loaded = false)
        fun here(origin: Origin) = Shelf.loaded.copy(models = listOf(Shelf.gemma.copy(origin = origin), Shelf.single))
        world.store()
        world.settings.dispatch(SettingsEvent.Loaded(Settings()))
        world.library.dispatch(here(Origin.PUSHED))
        world.pass(1000)
        assertEquals(1, world.host.prepared.size)
        world.library.dispatch(here(Origin.IMPORTED))
        world.pass(1000)
        assertEquals(List(2) { Shelf.tuned }, world.host.prepared.map { it.first })
        world.library.dispatch(here(Origin.IMPORTED).copy(sampleQuestions = listOf("Why?")))
        world.pass(1000)
        assertEquals(2, world.host.prepared.size)
    }

    private companion object {
        val NUMBERS = ReplyMetrics(0.1, promptTokens = 5, promptTokensPerSecond = 50.0, tokens = 3, tokensPerSecond = 30.0)
    }
}
