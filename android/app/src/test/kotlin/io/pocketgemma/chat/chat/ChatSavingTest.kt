package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.fake.ChatFixture
import io.pocketgemma.chat.fake.ask
import io.pocketgemma.chat.fake.converse
import io.pocketgemma.chat.fake.last
import io.pocketgemma.chat.fake.lastStatus
import io.pocketgemma.chat.fake.texts
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

/** What is stored of a conversation, and when. Another store over the same world is the app's next process. */
class ChatSavingTest {
    private val world = ChatFixture()
    private val host = world.host
    private val storage = world.storage

    private fun stored(id: Long): List<String> = storage.kept.getValue(id).messages.map { it.text }

    @Test
    fun `the first start begins a new conversation, of which nothing is stored`() {
        val store = world.store(settled = false)
        assertFalse(store.state.loaded)
        world.settle()
        assertTrue(store.state.loaded)
        assertEquals(100L, store.state.conversation)
        world.pass(60_000)
        assertEquals(emptyMap<Long, Any>(), storage.kept)
    }

    @Test
    fun `the next start goes on where this one ended`() {
        val first = world.store()
        world.converse(first, "What is Fe?", "Iron.")
        first.dispatch(ChatEvent.Rename("Metals"))
        first.dispatch(ChatEvent.DraftChanged("And A"))
        first.dispatch(ChatEvent.Scrolled(ScrollPosition(1, 20)))
        world.pass(500)
        val second = world.store()
        assertEquals(first.state.copy(nextId = second.state.nextId, messages = second.state.messages), second.state)
        assertEquals(first.state.messages, second.state.messages)
        second.ask("And Au?")
        assertEquals(2, host.last.request.config.history.size)
    }

    @Test
    fun `the question is stored at once, with a reply that was stopped`() {
        val store = world.store()
        store.ask("q")
        world.settle()
        val next = world.store()
        assertEquals(listOf("q", ""), next.texts)
        assertEquals(ReplyStatus.Stopped(null), next.state.lastStatus)
    }

    @Test
    fun `a process that ends in the middle of a reply keeps what was there two seconds ago`() {
        val store = world.store()
        store.ask("q")
        host.last.grow("one")
        world.pass(1000)
        host.last.grow("one two")
        world.pass(1000)
        host.last.grow("one two three")
        world.pass(1000)
        val next = world.store()
        assertEquals(listOf("q", "one two"), next.texts)
        assertEquals(ReplyStatus.Stopped(null), next.state.lastStatus)
        assertTrue(next.state.canAsk)
    }

    @Test
    fun `a growing reply is not written for each of its pieces, and whole at its end`() {
        val store = world.store()
        store.ask("q")
        world.settle()
        storage.log.clear()
        for (piece in 1..100) {
            host.last.grow("x".repeat(piece))
            world.pass(50)
        }
        assertTrue("${storage.log}", storage.log.size in 2..3)
        assertTrue("${storage.log}", stored(100).last().length > 60)
        host.last.end("x".repeat(101))
        world.settle()
        assertEquals("x".repeat(101), stored(100).last())
    }

    @Test
    fun `what was being written survives, but not letter by letter`() {
        val store = world.store()
        for (length in 1..20) {
            store.dispatch(ChatEvent.DraftChanged("a".repeat(length)))
            world.pass(100)
        }
        assertEquals(emptyMap<Long, Any>(), storage.kept)
        world.pass(500)
        assertEquals("a".repeat(20), world.store().state.draft)
    }

    @Test
    fun `leaving the screen stores at once`() {
        val store = world.store()
        store.dispatch(ChatEvent.DraftChanged("unfinished"))
        store.save()
        world.disk.run()
        assertEquals("unfinished", world.store().state.draft)
    }

    @Test
    fun `a question half changed comes back as a draft, an unchanged one leaves the draft from before`() {
        val store = world.store()
        world.converse(store, "q", "a")
        store.dispatch(ChatEvent.DraftChanged("mine"))
        store.dispatch(ChatEvent.Edit)
        world.pass(500)
        assertEquals("mine", world.store().state.draft)
        store.dispatch(ChatEvent.DraftChanged("q changed"))
        world.pass(500)
        val next = world.store()
        assertEquals("q changed", next.state.draft)
        assertFalse(next.state.editing)
        assertEquals(listOf("q", "a"), next.texts)
    }

    @Test
    fun `the list is notified of what it shows, and not of drafts`() {
        val store = world.store()
        store.ask("q")
        world.settle()
        assertEquals(1, world.refreshes)
        host.last.end("a")
        world.settle()
        assertEquals(2, world.refreshes)
        store.dispatch(ChatEvent.Rename("Mine"))
        world.settle()
        assertEquals(3, world.refreshes)
        store.dispatch(ChatEvent.DraftChanged("d"))
        world.pass(500)
        assertEquals(3, world.refreshes)
    }

    @Test
    fun `what has not changed is not written`() {
        val store = world.store()
        world.converse(store, "q", "a")
        storage.log.clear()
        store.save()
        store.dispatch(ChatEvent.DraftChanged("d"))
        store.dispatch(ChatEvent.DraftChanged(""))
        world.pass(500)
        assertEquals(emptyList<String>(), storage.log)
    }

    @Test
    fun `a storage that fails ends nothing, and gets everything once it works again`() {
        storage.fails = true
        val store = world.store()
        assertTrue(store.state.loaded)
        world.converse(store, "one", "first")
        storage.fails = false
        world.converse(store, "two", "second")
        storage.fails = true
        world.converse(store, "three", "third")
        storage.fails = false
        world.converse(store, "four", "fourth")
        assertEquals(listOf("one", "first", "two", "second", "three", "third", "four", "fourth"), stored(store.state.conversation))
    }

    @Test
    fun `what could not be stored is written with the next thing that is said`() {
        val store = world.store()
        store.ask("one")
        world.settle()
        storage.isFull = true
        host.last.end("first")
        world.settle()
        storage.isFull = false
        assertEquals(listOf("one", ""), stored(100))
        store.ask("two")
        world.settle()
        assertEquals(listOf("one", "first", "two", ""), stored(100))
    }

    @Test
    fun `what could not be stored is written when the app leaves the screen, though nothing more was said`() {
        val store = world.store()
        store.ask("one")
        storage.isFull = true
        host.last.end("first")
        world.settle()
        storage.isFull = false
        store.save()
        world.disk.run()
        assertEquals(listOf("one", "first"), stored(100))
    }

    @Test
    fun `before anything was read nothing is written, and what is typed waits for it`() {
        val early = world.store(settled = false)
        early.dispatch(ChatEvent.DraftChanged("typed"))
        early.save()
        early.dispatch(ChatEvent.Rename("not yet"))
        world.settle()
        assertEquals(ChatState(100, loaded = true, draft = "typed"), early.state)
        val store = world.store(settled = false)
        store.dispatch(ChatEvent.DraftChanged("typed"))
        store.dispatch(ChatEvent.NewChat(2))
        world.settle()
        assertFalse(0L in storage.kept)
    }

    @Test
    fun `of a long conversation only the end is written again`() {
        val store = world.store()
        world.converse(store, "one", "first")
        world.converse(store, "two", "second")
        // The storage relies on what it is given as unchanged, and so does this fake.
        val first = storage.kept.getValue(100).messages.first() as Message.Question
        storage.kept[100] = storage.kept.getValue(100).let { it.copy(messages = listOf(first.copy(text = "as stored")) + it.messages.drop(1)) }
        world.converse(store, "three", "third")
        assertEquals(listOf("as stored", "first", "two", "second", "three", "third"), stored(100))
    }
}
