package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.fake.lastStatus
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

class ChatStateTest {
    private val fresh = ChatState(1, loaded = true)
    private val metrics = ReplyMetrics(0.1, promptTokens = 5, promptTokensPerSecond = 50.0, tokens = 3, tokensPerSecond = 30.0)
    private val whole = ReplyEnd.Complete(null)

    private fun ChatState.afterAll(vararg events: ChatEvent): ChatState = events.fold(this) { state, event -> state.reduce(event) }

    private fun ChatState.answered(question: String, reply: String, end: ReplyEnd = whole): ChatState =
        reduce(ChatEvent.Ask(question)).let { it.reduce(ChatEvent.ReplyEnded(it.messages.last().id, reply, end)) }

    private fun ChatState.texts(): List<String> = messages.map { it.text }

    @Test
    fun `a question and the reply to it appear together, and the list is at its end`() {
        val state = fresh.copy(scroll = ScrollPosition(0, 3)).reduce(ChatEvent.Ask("  What is Fe? "))
        assertEquals(listOf("What is Fe?", ""), state.texts())
        assertTrue(state.activeReply != null)
        assertFalse(state.canAsk)
        assertNull(state.scroll)
    }

    @Test
    fun `nothing is asked before the storage was read, during a reply, during a summary, or when nothing is written`() {
        val unread = ChatState(1)
        assertSame(unread, unread.reduce(ChatEvent.Ask("hello")))
        assertSame(fresh, fresh.reduce(ChatEvent.Ask("   ")))
        val replying = fresh.reduce(ChatEvent.Ask("one"))
        for (event in listOf(ChatEvent.Ask("two"), ChatEvent.Regenerate, ChatEvent.Edit, ChatEvent.ContinueWithSummary(2))) {
            assertSame(replying, replying.reduce(event))
        }
        val summarising = fresh.answered("q", "a").reduce(ChatEvent.ContinueWithSummary(2))
        for (event in listOf(ChatEvent.Ask("two"), ChatEvent.Regenerate, ChatEvent.Edit, ChatEvent.ContinueWithSummary(3))) {
            assertSame(summarising, summarising.reduce(event))
        }
    }

    @Test
    fun `a reply grows and ends`() {
        val state = fresh.afterAll(
            ChatEvent.Ask("q"),
            ChatEvent.AnsweredBy(1, "Gemma"),
            ChatEvent.ReplyGrew(1, "Ir"),
            ChatEvent.ReplyEnded(1, "Iron.", ReplyEnd.Complete(metrics)),
        )
        assertEquals(Message.Reply(1, "Iron.", ReplyStatus.Complete(metrics), "Gemma"), state.messages.last())
        assertTrue(state.canAsk)
    }

    @Test
    fun `what was read already stays when the end comes without it`() {
        val state = fresh.afterAll(ChatEvent.Ask("q"), ChatEvent.ReplyGrew(1, "half"), ChatEvent.ReplyEnded(1, "", ReplyEnd.Failed("lost")))
        assertEquals("half", state.messages.last().text)
    }

    @Test
    fun `what comes for a reply that is over changes nothing`() {
        val over = fresh.answered("q", "done")
        for (event in listOf(ChatEvent.ReplyGrew(1, "late"), ChatEvent.ReplyEnded(1, "late", whole), ChatEvent.AnsweredBy(1, "late"))) {
            assertSame(over, over.reduce(event))
        }
    }

    @Test
    fun `what comes for a reply of a conversation that was left meets no message of the next one`() {
        val stored = Conversation(7, "t", listOf(Message.Question(0, "a"), Message.Reply(1, "b", ReplyStatus.Complete(null))))
        val old = fresh.reduce(ChatEvent.Ask("old"))
        val others = listOf(
            old.afterAll(ChatEvent.NewChat(2), ChatEvent.Ask("new")),
            old.afterAll(ChatEvent.Open(7), ChatEvent.Opened(7, stored), ChatEvent.Ask("new")),
            old.afterAll(ChatEvent.Removed(1, 3), ChatEvent.Ask("new")),
        )
        for (other in others) {
            assertTrue(other.activeReply != null)
            assertSame(other, other.reduce(ChatEvent.ReplyGrew(1, "late")))
            assertSame(other, other.reduce(ChatEvent.ReplyEnded(1, "late", whole)))
        }
    }

    @Test
    fun `stopping is shown until the runtime has stopped, and keeps what was written`() {
        val stopping = fresh.afterAll(ChatEvent.Ask("q"), ChatEvent.ReplyGrew(1, "half"), ChatEvent.Stop)
        assertEquals(ReplyStatus.Active(stopping = true), stopping.activeReply?.status)
        assertEquals(stopping, stopping.reduce(ChatEvent.Stop))
        val stopped = stopping.reduce(ChatEvent.ReplyEnded(1, "half", ReplyEnd.Stopped(metrics)))
        assertEquals(Message.Reply(1, "half", ReplyStatus.Stopped(metrics)), stopped.messages.last())
        assertSame(fresh, fresh.reduce(ChatEvent.Stop))
    }

    @Test
    fun `the history holds answered questions only`() {
        val state = fresh.answered("one", "first").answered("two", "", ReplyEnd.Failed("broken")).reduce(ChatEvent.Ask("three"))
        assertEquals(listOf(Turn(Role.USER, "one"), Turn(Role.MODEL, "first")), state.history)
    }

    @Test
    fun `another reply replaces the last one, which is not part of its history`() {
        val state = fresh.answered("one", "first").answered("two", "second").reduce(ChatEvent.Regenerate)
        assertEquals(listOf("one", "first", "two", ""), state.texts())
        assertEquals(listOf(Turn(Role.USER, "one"), Turn(Role.MODEL, "first")), state.history)
        assertEquals(4L, state.activeReply?.id)
        assertSame(fresh, fresh.reduce(ChatEvent.Regenerate))
    }

    @Test
    fun `the last question is edited in the text field, and what stood there comes back`() {
        val said = fresh.answered("one", "first").answered("two", "second").reduce(ChatEvent.DraftChanged("half a thought"))
        val editing = said.reduce(ChatEvent.Edit)
        assertEquals("two", editing.draft)
        assertTrue(editing.editing)
        assertSame(editing, editing.reduce(ChatEvent.Edit))
        assertEquals(said, editing.afterAll(ChatEvent.DraftChanged("two and a half"), ChatEvent.CancelEdit))
        val sent = editing.afterAll(ChatEvent.DraftChanged("zwei"), ChatEvent.Ask("zwei"))
        assertEquals(listOf("one", "first", "zwei", ""), sent.texts())
        assertEquals("half a thought", sent.draft)
        assertFalse(sent.editing)
        assertSame(said, said.reduce(ChatEvent.CancelEdit))
        assertSame(fresh, fresh.reduce(ChatEvent.Edit))
    }

    @Test
    fun `another reply, or a summary, ends editing`() {
        val editing = fresh.answered("one", "first").afterAll(ChatEvent.DraftChanged("mine"), ChatEvent.Edit)
        for (event in listOf(ChatEvent.Regenerate, ChatEvent.ContinueWithSummary(2))) {
            val state = editing.reduce(event)
            assertFalse(state.editing)
            assertEquals("mine", state.draft)
        }
    }

    @Test
    fun `a question that was sent leaves the text field, a sample question does not touch it`() {
        assertEquals("", fresh.copy(draft = " mine ").reduce(ChatEvent.Ask("mine")).draft)
        assertEquals("mine", fresh.copy(draft = "mine").reduce(ChatEvent.Ask("sample")).draft)
    }

    @Test
    fun `the first question is the title, until the user sets one`() {
        val state = fresh.answered("What is Fe?", "Iron.").answered("And Au?", "Gold.")
        assertEquals("What is Fe?", state.title)
        val renamed = state.reduce(ChatEvent.Rename("  My \n metals "))
        assertEquals("My metals", renamed.title)
        assertEquals("My metals", renamed.answered("And Ag?", "Silver.").title)
        assertEquals("What is Fe?", renamed.reduce(ChatEvent.Rename(" ")).title)
    }

    @Test
    fun `editing the first question changes the title with it, but not the user's own`() {
        val state = fresh.answered("What is Fe?", "Iron.")
        assertEquals("What is Au?", state.afterAll(ChatEvent.Edit, ChatEvent.Ask("What is Au?")).title)
        assertEquals("Mine", state.afterAll(ChatEvent.Rename("Mine"), ChatEvent.Edit, ChatEvent.Ask("What is Au?")).title)
        assertEquals("Mine", fresh.afterAll(ChatEvent.Rename("Mine"), ChatEvent.Ask("q")).title)
    }

    @Test
    fun `a new chat begins where something was said, and takes a question along`() {
        val said = fresh.answered("q", "a").reduce(ChatEvent.DraftChanged("mine"))
        assertEquals(ChatState(2, loaded = true, nextId = 2), said.reduce(ChatEvent.NewChat(2)))
        assertEquals("too long", said.reduce(ChatEvent.NewChat(2, draft = "too long")).draft)
        val writing = fresh.copy(draft = "mine")
        assertEquals(writing, writing.reduce(ChatEvent.NewChat(2)))
        assertEquals("too long", writing.reduce(ChatEvent.NewChat(2, draft = "too long")).draft)
    }

    @Test
    fun `an opened conversation is there when it has been read`() {
        val stored = Conversation(7, "t", listOf(Message.Question(0, "a")), "sum", "draft", ScrollPosition(0, 4))
        val opening = fresh.answered("q", "a").reduce(ChatEvent.Open(7))
        assertFalse(opening.loaded)
        assertFalse(opening.canAsk)
        assertSame(opening, opening.reduce(ChatEvent.Rename("not yet")))
        assertSame(opening, opening.reduce(ChatEvent.Opened(8, stored.copy(id = 8))))
        val opened = opening.reduce(ChatEvent.Opened(7, stored))
        assertEquals(ChatState(7, true, "t", listOf(Message.Question(2, "a")), "sum", "draft", scroll = ScrollPosition(0, 4), nextId = 3), opened)
        assertSame(opened, opened.reduce(ChatEvent.Opened(7, stored.copy(title = "again"))))
        assertSame(opened, opened.reduce(ChatEvent.Open(7)))
        assertEquals("typed", opening.afterAll(ChatEvent.DraftChanged("typed"), ChatEvent.Opened(7, stored)).draft)
    }

    @Test
    fun `what the list did to another conversation changes nothing here`() {
        val state = fresh.answered("q", "a")
        assertSame(state, state.reduce(ChatEvent.Removed(9, 2)))
        assertSame(state, state.reduce(ChatEvent.Renamed(9, "t")))
        assertEquals("t", state.reduce(ChatEvent.Renamed(1, "t")).title)
        assertEquals(ChatState(2, loaded = true, nextId = 2), state.reduce(ChatEvent.Removed(1, 2)))
    }

    @Test
    fun `a conversation goes on with a summary and the question that did not fit`() {
        val full = fresh.answered("q", "a").answered("too much", "", ReplyEnd.ContextFull)
        assertEquals(ReplyStatus.ContextFull, full.lastStatus)
        val summarising = full.reduce(ChatEvent.ContinueWithSummary(2))
        assertTrue(summarising.summarising)
        assertFalse(summarising.canAsk)
        assertSame(summarising, summarising.reduce(ChatEvent.Summarised(3, "of another")))
        val next = summarising.reduce(ChatEvent.Summarised(2, "so far"))
        assertEquals(ChatState(2, loaded = true, summary = "so far", draft = "too much", nextId = 4), next)
        assertSame(next, next.reduce(ChatEvent.Summarised(2, "twice")))
        assertSame(fresh, fresh.reduce(ChatEvent.ContinueWithSummary(2)))
    }

    @Test
    fun `stop leaves a summary at that`() {
        val said = fresh.answered("q", "a")
        val stopped = said.afterAll(ChatEvent.ContinueWithSummary(2), ChatEvent.Stop)
        assertEquals(said, stopped)
        assertSame(stopped, stopped.reduce(ChatEvent.Summarised(2, "late")))
        val again = stopped.reduce(ChatEvent.ContinueWithSummary(3))
        assertSame(again, again.reduce(ChatEvent.Summarised(2, "late")))
    }
}
