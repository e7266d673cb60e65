package io.pocketgemma.chat.chat

import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Speed
import io.pocketgemma.chat.model.Turn
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

class ChatEventTest {
    private val ready = ChatState().after(ChatEvent.ModelReady)
    private val speed = Speed(secondsToFirstToken = 0.1, tokens = 3, tokensPerSecond = 30.0)

    private fun ChatState.afterAll(vararg events: ChatEvent): ChatState = events.fold(this) { state, event -> state.after(event) }

    @Test
    fun `a question and the reply to it appear together`() {
        val state = ready.after(ChatEvent.Ask("  What is Fe? "))
        assertEquals(listOf("What is Fe?", ""), state.messages.map { it.text })
        assertTrue(state.activeReply != null)
        assertFalse(state.canSend)
    }

    @Test
    fun `nothing is asked while the model loads, while it replies, or when nothing is written`() {
        val loading = ChatState()
        assertSame(loading, loading.after(ChatEvent.Ask("hello")))
        assertSame(ready, ready.after(ChatEvent.Ask("   ")))
        val replying = ready.after(ChatEvent.Ask("one"))
        assertSame(replying, replying.after(ChatEvent.Ask("two")))
    }

    @Test
    fun `a reply grows and ends`() {
        val state = ready.afterAll(
            ChatEvent.Ask("q"),
            ChatEvent.ReplyGrew(1, "Ir"),
            ChatEvent.ReplyEnded(1, "Iron.", ReplyEnd.Complete(speed)),
        )
        assertEquals(Message.Reply(1, "Iron.", ReplyStatus.Complete(speed)), state.messages.last())
        assertTrue(state.canSend)
    }

    @Test
    fun `what comes for a reply that is over or abandoned changes nothing`() {
        val over = ready.afterAll(ChatEvent.Ask("q"), ChatEvent.ReplyEnded(1, "done", ReplyEnd.Complete(null)))
        assertEquals(over, over.after(ChatEvent.ReplyGrew(1, "late")))
        val anew = ready.afterAll(ChatEvent.Ask("old"), ChatEvent.NewChat, ChatEvent.Ask("new"))
        assertEquals(anew, anew.afterAll(ChatEvent.ReplyGrew(1, "late"), ChatEvent.ReplyEnded(1, "late", ReplyEnd.Complete(null))))
    }

    @Test
    fun `stopping is shown until the runtime has stopped, and keeps what was written`() {
        val stopping = ready.afterAll(ChatEvent.Ask("q"), ChatEvent.ReplyGrew(1, "half"), ChatEvent.Stop)
        assertEquals(ReplyStatus.Active(stopping = true), stopping.activeReply?.status)
        val stopped = stopping.after(ChatEvent.ReplyEnded(1, "half", ReplyEnd.Stopped(null)))
        assertEquals(Message.Reply(1, "half", ReplyStatus.Stopped(null)), stopped.messages.last())
        assertEquals(ready, ready.after(ChatEvent.Stop))
    }

    @Test
    fun `the history holds answered questions only`() {
        val state = ready.afterAll(
            ChatEvent.Ask("one"),
            ChatEvent.ReplyEnded(1, "first", ReplyEnd.Complete(null)),
            ChatEvent.Ask("two"),
            ChatEvent.ReplyEnded(3, "", ReplyEnd.Failed("out of memory")),
            ChatEvent.Ask("three"),
        )
        assertEquals(listOf(Turn(Role.USER, "one"), Turn(Role.MODEL, "first")), state.history)
    }

    @Test
    fun `the share of the copy is shown until it is whole`() {
        assertEquals(ModelState.Loading(0.5), ChatState().after(ChatEvent.ModelProgress(0.5)).model)
        assertEquals(ModelState.Loading(null), ChatState().afterAll(ChatEvent.ModelProgress(0.5), ChatEvent.ModelProgress(1.0)).model)
    }

    @Test
    fun `a model that failed can be tried again, one that works is left alone`() {
        val failed = ChatState().after(ChatEvent.ModelFailed(ModelProblem.Damaged))
        assertEquals(ModelState.Loading(), failed.after(ChatEvent.LoadAgain).model)
        assertSame(ready, ready.after(ChatEvent.LoadAgain))
    }

    @Test
    fun `saved messages come back into an empty chat only`() {
        val saved = listOf(Message.Question(0, "q"), Message.Reply(1, "a", ReplyStatus.Complete(null)))
        val restored = ChatState().after(ChatEvent.Restore(saved))
        assertEquals(saved, restored.messages)
        assertEquals(listOf(0L, 1L, 2L, 3L), restored.afterAll(ChatEvent.ModelReady, ChatEvent.Ask("more")).messages.map { it.id })
        val busy = ready.after(ChatEvent.Ask("here"))
        assertSame(busy, busy.after(ChatEvent.Restore(saved)))
        assertNull(restored.activeReply)
    }
}
