package io.pocketgemma.chat.compare

import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.fake.ChatFixture
import io.pocketgemma.chat.fake.Shelf
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

class CompareStoreTest {
    private val world = ChatFixture()
    private val host = world.host
    private val poems = Selection("gemma", "poems")

    private fun store() = CompareStore(world.inference)

    private fun CompareStore.ask(question: String) = dispatch(CompareEvent.Ask(question))

    @Test
    fun `before is the base and after is the tuned model, unless the user selects others`() {
        val store = store()
        assertEquals(Shelf.base, store.state.before.selection)
        assertEquals(Shelf.tuned, store.state.after.selection)
        store.dispatch(CompareEvent.Choose(Side.AFTER, poems))
        world.library.dispatch(Shelf.loaded.copy(sampleQuestions = listOf("?")))
        assertEquals(poems, store.state.after.selection)
    }

    @Test
    fun `nothing is chosen before the library is known, and where the base is missing`() {
        val early = ChatFixture(loaded = false)
        val store = CompareStore(early.inference)
        assertEquals(CompareState(), store.state)
        early.load()
        assertTrue(store.state.canAsk)
        early.library.dispatch(Shelf.loaded.copy(tuned = null, base = null))
        val alone = CompareStore(early.inference)
        assertNull(alone.state.before.selection)
        assertEquals(Selection("gemma"), alone.state.after.selection)
        assertFalse(alone.state.canAsk)
        alone.ask("q")
        assertEquals(0, early.host.asked.size)
    }

    @Test
    fun `the model of the chat is not set against itself`() {
        world.library.dispatch(Shelf.loaded.copy(tuned = null))
        world.settings.change { it.copy(selection = Shelf.base) }
        assertNull(store().state.after.selection)
    }

    @Test
    fun `both are asked the same, before first, alone and with the same settings`() {
        world.settings.change { Settings(threads = 2, replyTokens = 99, systemPrompt = "Be brief.") }
        val store = store()
        store.dispatch(CompareEvent.DraftChanged(" What is Fe? "))
        store.ask(" What is Fe? ")
        assertEquals(listOf(Shelf.base, Shelf.tuned), host.asked.map { it.request.selection })
        for (asked in host.asked) {
            assertEquals("What is Fe?", asked.request.question)
            assertEquals(ConversationConfig(systemPrompt = "Be brief.", replyTokens = 99), asked.request.config)
            assertEquals(EngineOptions(threads = 2), asked.request.options)
        }
        assertEquals("What is Fe?", store.state.question)
        assertEquals("", store.state.draft)
    }

    @Test
    fun `each side shows its own reply`() {
        val store = store()
        store.ask("q")
        host.asked[0].grow("I do")
        assertEquals("I do", store.state.before.text)
        host.asked[0].end("I do not know.")
        assertTrue(store.state.running)
        host.asked[1].end("", ReplyEnd.NoModel(ModelProblem.OtherBase))
        assertEquals("I do not know.", store.state.before.text)
        assertEquals(ReplyStatus.Complete(null), store.state.before.status)
        assertEquals(ReplyStatus.NoModel(ModelProblem.OtherBase), store.state.after.status)
        assertTrue(store.state.canAsk)
    }

    @Test
    fun `nothing is asked twice at once, or without words`() {
        val store = store()
        store.ask(" ")
        store.ask("one")
        val running = store.state
        store.ask("two")
        assertSame(running, store.state)
        assertEquals(2, host.asked.size)
    }

    @Test
    fun `stop stops both`() {
        val store = store()
        store.ask("q")
        host.asked[0].grow("half")
        store.dispatch(CompareEvent.Stop)
        assertEquals(listOf(1, 1), host.asked.map { it.stops })
        assertEquals(ReplyStatus.Active(stopping = true), store.state.after.status)
        host.asked[0].end("half", ReplyEnd.Stopped(null))
        host.asked[1].end("", ReplyEnd.Stopped(null))
        assertEquals("half", store.state.before.text)
        assertFalse(store.state.running)
    }

    @Test
    fun `stop after one side has ended stops the other alone`() {
        val store = store()
        store.ask("q")
        host.asked[0].end("done")
        store.dispatch(CompareEvent.Stop)
        assertEquals(listOf(0, 1), host.asked.map { it.stops })
        assertEquals(ReplyStatus.Complete(null), store.state.before.status)
    }

    @Test
    fun `another one on a side clears it, stops its reply, and leaves the other side`() {
        val store = store()
        store.ask("q")
        host.asked[0].grow("half")
        store.dispatch(CompareEvent.Choose(Side.BEFORE, poems))
        assertEquals(listOf(1, 0), host.asked.map { it.stops })
        assertEquals("", store.state.before.text)
        assertNull(store.state.before.status)
        host.asked[0].end("late", ReplyEnd.Stopped(null))
        assertEquals("", store.state.before.text)
        host.asked[1].end("fine")
        assertEquals("fine", store.state.after.text)
    }

    @Test
    fun `what comes late for an earlier question changes nothing`() {
        val store = store()
        store.ask("one")
        host.asked[1].end("first")
        store.dispatch(CompareEvent.Choose(Side.BEFORE, poems))
        store.ask("two")
        val running = store.state
        host.asked[0].grow("late")
        host.asked[0].end("late")
        assertSame(running, store.state)
    }

    @Test
    fun `who was removed answers no more, and is not replaced unasked`() {
        val store = store()
        store.dispatch(CompareEvent.Choose(Side.AFTER, poems))
        store.ask("q")
        world.library.dispatch(LibraryEvent.Remove("poems"))
        assertNull(store.state.after.selection)
        assertEquals(listOf(0, 1), host.asked.map { it.stops })
        assertEquals(Shelf.base, store.state.before.selection)
        world.library.dispatch(Shelf.loaded)
        assertNull(store.state.after.selection)
        assertFalse(store.state.canAsk)
    }
}
