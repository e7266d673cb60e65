package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.fake.ChatFixture
import io.pocketgemma.chat.fake.ask
import io.pocketgemma.chat.fake.converse
import io.pocketgemma.chat.fake.last
import io.pocketgemma.chat.fake.lastStatus
import io.pocketgemma.chat.fake.texts
import io.pocketgemma.chat.model.ReplyEnd
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

/** Switching between conversations. */
class ChatLeavingTest {
    private val world = ChatFixture()
    private val host = world.host
    private val storage = world.storage

    private fun stored(id: Long): List<String> = storage.kept.getValue(id).messages.map { it.text }

    @Test
    fun `two conversations keep separate drafts and scroll positions`() {
        val store = world.store()
        world.converse(store, "one", "first")
        store.dispatch(ChatEvent.DraftChanged("for the first"))
        store.dispatch(ChatEvent.Scrolled(ScrollPosition(1, 7)))
        store.dispatch(ChatEvent.NewChat(2))
        assertEquals("", store.state.draft)
        world.converse(store, "two", "second")
        store.dispatch(ChatEvent.DraftChanged("for the second"))
        store.dispatch(ChatEvent.Open(100))
        world.settle()
        assertEquals(listOf("one", "first"), store.texts)
        assertEquals("for the first", store.state.draft)
        assertEquals(ScrollPosition(1, 7), store.state.scroll)
        store.dispatch(ChatEvent.Open(2))
        world.settle()
        assertEquals("for the second", store.state.draft)
        assertNull(store.state.scroll)
        assertEquals(listOf("one", "first"), stored(100))
        assertEquals(listOf("two", "second"), stored(2))
    }

    @Test
    fun `leaving in the middle of a reply keeps it as far as it was written, in its own conversation`() {
        val store = world.store()
        store.ask("q")
        host.last.grow("half")
        store.dispatch(ChatEvent.NewChat(2))
        host.last.grow("half and late")
        world.settle()
        host.last.end("half and later", ReplyEnd.Stopped(null))
        world.settle()
        assertEquals(listOf("q", "half"), stored(100))
        store.dispatch(ChatEvent.Open(100))
        world.settle()
        assertEquals(ReplyStatus.Stopped(null), store.state.lastStatus)
    }

    @Test
    fun `what is written comes before what is read, and in order`() {
        val store = world.store()
        world.converse(store, "q", "a")
        storage.log.clear()
        store.dispatch(ChatEvent.DraftChanged("d1"))
        store.dispatch(ChatEvent.NewChat(2))
        store.dispatch(ChatEvent.DraftChanged("d2"))
        store.dispatch(ChatEvent.Open(100))
        world.settle()
        assertEquals(listOf("write 100: a", "open 2", "write 2: d2", "read 100", "open 100"), storage.log)
        assertEquals("d1", store.state.draft)
    }

    @Test
    fun `opening, closing and opening again shows the last one that was asked for`() {
        val store = world.store()
        world.converse(store, "one", "first")
        store.dispatch(ChatEvent.NewChat(2))
        world.converse(store, "two", "second")
        store.dispatch(ChatEvent.Open(100))
        store.dispatch(ChatEvent.Open(2))
        world.settle()
        assertEquals(2L, store.state.conversation)
        assertEquals(listOf("two", "second"), store.texts)
        assertEquals(2L, world.store().state.conversation)
    }

    @Test
    fun `a new chat is what the next start shows, even with nothing in it`() {
        val store = world.store()
        world.converse(store, "q", "a")
        store.dispatch(ChatEvent.NewChat(2))
        world.settle()
        assertEquals(emptyList<String>(), world.store().texts)
    }

    @Test
    fun `the question that is taken along to a new chat is stored`() {
        val store = world.store()
        world.converse(store, "q", "a")
        store.dispatch(ChatEvent.NewChat(2, draft = "too long"))
        world.settle()
        assertEquals("too long", world.store().state.draft)
    }

    @Test
    fun `a conversation that is gone opens as a new one`() {
        val store = world.store()
        world.converse(store, "q", "a")
        store.dispatch(ChatEvent.Open(77))
        world.settle()
        assertEquals(ChatState(101, loaded = true, nextId = 2), store.state)
        store.ask("new")
        world.settle()
        assertEquals(listOf("new", ""), stored(101))
    }

    @Test
    fun `a conversation that the list removed stops, is left, and is not written again`() {
        val store = world.store()
        store.ask("q")
        host.last.grow("half")
        world.settle()
        storage.delete(100)
        storage.purge()
        store.dispatch(ChatEvent.Removed(100, 5))
        host.last.end("half and late", ReplyEnd.Stopped(null))
        world.pass(5000)
        assertEquals(1, host.last.stops)
        assertEquals(emptyMap<Long, Any>(), storage.kept)
        assertEquals(5L, store.state.conversation)
    }

    @Test
    fun `a name given in the list is not overwritten`() {
        val store = world.store()
        world.converse(store, "q", "a")
        storage.rename(100, "Mine")
        store.dispatch(ChatEvent.Renamed(100, "Mine"))
        store.dispatch(ChatEvent.DraftChanged("d"))
        world.pass(500)
        assertEquals("Mine", storage.kept.getValue(100).title)
    }

    @Test
    fun `a conversation that was opened is not written for its draft alone`() {
        val store = world.store()
        world.converse(store, "one", "first")
        store.dispatch(ChatEvent.NewChat(2))
        world.converse(store, "two", "second")
        store.dispatch(ChatEvent.Open(100))
        world.settle()
        val told = world.refreshes
        storage.log.clear()
        store.save()
        world.settle()
        assertEquals(emptyList<String>(), storage.log)
        store.dispatch(ChatEvent.DraftChanged("d"))
        world.pass(500)
        assertEquals(told, world.refreshes)
        assertEquals("d", storage.kept.getValue(100).draft)
    }
}
