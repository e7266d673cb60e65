package io.pocketgemma.chat.chat

import io.pocketgemma.chat.fake.ChatFixture
import io.pocketgemma.chat.fake.ask
import io.pocketgemma.chat.fake.converse
import io.pocketgemma.chat.fake.last
import io.pocketgemma.chat.fake.texts
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Selection
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class ChatSummaryTest {
    private var world = ChatFixture()
    private val host get() = world.host

    /** Two turns, and a question that did not fit. */
    private fun full(): ChatStore {
        val store = world.store()
        world.converse(store, "one", "first")
        world.converse(store, "two", "second")
        store.ask("too much")
        host.last.end("", ReplyEnd.ContextFull)
        world.settle()
        return store
    }

    @Test
    fun `the model sums up what was said, leaving out the oldest where it must`() {
        val store = full()
        store.dispatch(ChatEvent.ContinueWithSummary(2))
        assertTrue(store.state.summarising)
        val request = host.last.request
        assertEquals("Sum up.", request.question)
        assertEquals(listOf("one", "first", "two", "second"), request.config.history.map { it.text })
        assertTrue(request.dropOldest)
        assertEquals(SUMMARY_TOKENS, request.config.replyTokens)
    }

    @Test
    fun `the new conversation knows the summary and waits with the question that did not fit`() {
        world.settings.change { it.copy(systemPrompt = "Be brief.") }
        val store = full()
        store.dispatch(ChatEvent.ContinueWithSummary(2))
        host.last.grow("They")
        host.last.end(" They spoke of one and two. ")
        assertEquals(0, host.last.stops)
        assertEquals(2L, store.state.conversation)
        assertEquals("They spoke of one and two.", store.state.summary)
        assertEquals("too much", store.state.draft)
        assertFalse(store.state.summarising)
        store.ask("too much")
        assertEquals("Be brief.\n\nBefore:\nThey spoke of one and two.", host.last.request.config.systemPrompt)
        assertEquals(emptyList<Any>(), host.last.request.config.history)
        assertFalse(host.last.request.dropOldest)
        assertEquals("too much", store.state.title)
        assertEquals("", store.state.draft)
    }

    @Test
    fun `both conversations are kept, and the next start shows the new one`() {
        val store = full()
        store.dispatch(ChatEvent.DraftChanged("an afterthought"))
        store.dispatch(ChatEvent.ContinueWithSummary(2))
        host.last.end("So far.")
        world.settle()
        val next = world.store()
        assertEquals(2L, next.state.conversation)
        assertEquals("So far.", next.state.summary)
        assertEquals("too much", next.state.draft)
        next.dispatch(ChatEvent.Open(100))
        world.settle()
        assertEquals(listOf("one", "first", "two", "second", "too much", ""), next.texts)
        assertEquals("an afterthought", next.state.draft)
    }

    @Test
    fun `a summary that fails or is empty gives way to the last turns themselves`() {
        val ends = listOf("" to ReplyEnd.Failed("broken"), " " to ReplyEnd.Complete(null), "" to ReplyEnd.NoModel(ModelProblem.Damaged))
        for ((text, end) in ends) {
            world = ChatFixture()
            val store = full()
            store.dispatch(ChatEvent.ContinueWithSummary(2))
            host.last.end(text, end)
            assertEquals("Q one A first\nQ two A second", store.state.summary)
            assertEquals("too much", store.state.draft)
        }
    }

    @Test
    fun `stopping or leaving it stops the model and changes nothing`() {
        val store = full()
        val before = store.state
        store.dispatch(ChatEvent.ContinueWithSummary(2))
        store.dispatch(ChatEvent.Stop)
        assertEquals(1, host.last.stops)
        assertEquals(before, store.state)
        host.last.end("late")
        assertEquals(before, store.state)
        store.dispatch(ChatEvent.ContinueWithSummary(3))
        store.dispatch(ChatEvent.NewChat(4))
        assertEquals(1, host.last.stops)
        host.last.end("late")
        assertEquals(4L, store.state.conversation)
        assertEquals("", store.state.summary)
    }

    @Test
    fun `a carried summary is itself summed up when the next one is full`() {
        val store = full()
        store.dispatch(ChatEvent.ContinueWithSummary(2))
        host.last.end("So far.")
        world.converse(store, "three", "third")
        store.dispatch(ChatEvent.ContinueWithSummary(3))
        assertEquals("Before:\nSo far.", host.last.request.config.systemPrompt)
    }

    @Test
    fun `a model of single questions has nothing to sum up from`() {
        val store = full()
        world.settings.change { it.copy(selection = Selection("single")) }
        store.dispatch(ChatEvent.ContinueWithSummary(2))
        assertEquals(emptyList<Any>(), host.last.request.config.history)
        host.last.end("", ReplyEnd.Complete(null))
        assertEquals("Q one A first\nQ two A second", store.state.summary)
    }
}
