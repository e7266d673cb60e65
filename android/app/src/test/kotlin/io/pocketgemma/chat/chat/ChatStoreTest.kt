package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.fake.ChatFixture
import io.pocketgemma.chat.fake.Shelf
import io.pocketgemma.chat.fake.ask
import io.pocketgemma.chat.fake.converse
import io.pocketgemma.chat.fake.last
import io.pocketgemma.chat.fake.lastStatus
import io.pocketgemma.chat.fake.texts
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.model.Turn
import io.pocketgemma.chat.settings.Settings
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class ChatStoreTest {
    private val world = ChatFixture()
    private val host = world.host

    private fun turns(vararg said: Pair<String, String>): List<Turn> =
        said.flatMap { (question, reply) -> listOf(Turn(Role.USER, question), Turn(Role.MODEL, reply)) }

    private val ChatStore.reply: Message.Reply get() = state.messages.last() as Message.Reply

    @Test
    fun `a question goes to who was built in, and the reply comes as it grows`() {
        val store = world.store()
        store.ask("What is Fe?")
        assertEquals(Shelf.tuned, host.last.request.selection)
        assertEquals("What is Fe?", host.last.request.question)
        assertEquals("Gemma · Science", store.reply.answeredBy)
        host.last.grow("Ir")
        assertEquals("Ir", store.reply.text)
        host.last.end("Iron.")
        assertEquals(Message.Reply(1, "Iron.", ReplyStatus.Complete(null), "Gemma · Science"), store.reply)
    }

    @Test
    fun `a second question is sent with the history, and a context that is too small is reported`() {
        val store = world.store()
        world.converse(store, "one", "first")
        store.ask("two")
        assertEquals(turns("one" to "first"), host.last.request.config.history)
        assertFalse(host.last.request.dropOldest)
        host.last.end("", ReplyEnd.ContextFull)
        assertEquals(ReplyStatus.ContextFull, store.state.lastStatus)
    }

    @Test
    fun `the settings are those of the moment of asking`() {
        val store = world.store()
        store.ask("one")
        assertEquals(ConversationConfig(replyTokens = 512), host.last.request.config)
        host.last.end("first")
        val sampling = Sampling(temperature = 0f, seed = 7)
        world.settings.change {
            it.copy(backend = Backend.GPU, threads = 2, ownSampling = true, sampling = sampling, replyTokens = 64, systemPrompt = " Be brief. ")
        }
        store.ask("two")
        assertEquals(EngineOptions(Backend.GPU, 2), host.last.request.options)
        assertEquals(ConversationConfig(turns("one" to "first"), "Be brief.", sampling, 64), host.last.request.config)
    }

    @Test
    fun `another adapter goes on with the same conversation`() {
        val store = world.store()
        world.converse(store, "one", "first")
        world.settings.change { it.copy(selection = Selection("gemma", "poems")) }
        store.ask("two")
        assertEquals(Selection("gemma", "poems"), host.last.request.selection)
        assertEquals(turns("one" to "first"), host.last.request.config.history)
        host.last.end("second")
        assertEquals(listOf("Gemma · Science", "Gemma · Poems"), store.state.messages.mapNotNull { (it as? Message.Reply)?.answeredBy })
    }

    @Test
    fun `a model that was removed gives way to what came with the app`() {
        val store = world.store()
        world.settings.change { it.copy(selection = Selection("single")) }
        world.converse(store, "one", "first")
        world.library.dispatch(LibraryEvent.Remove("single"))
        store.ask("two")
        assertEquals(Shelf.tuned, host.last.request.selection)
        assertEquals(turns("one" to "first"), host.last.request.config.history)
    }

    @Test
    fun `a model without memory of a conversation gets each question alone`() {
        val store = world.store()
        world.settings.change { it.copy(selection = Selection("single")) }
        world.converse(store, "one", "first")
        store.ask("two")
        assertEquals(emptyList<Turn>(), host.last.request.config.history)
        assertEquals(listOf("one", "first", "two", ""), store.texts)
    }

    @Test
    fun `a model that cannot be loaded is a reply that says so, and the question can be asked again`() {
        val store = world.store()
        store.ask("q")
        host.last.end("", ReplyEnd.NoModel(ModelProblem.Damaged))
        assertEquals(ReplyStatus.NoModel(ModelProblem.Damaged), store.state.lastStatus)
        store.dispatch(ChatEvent.Regenerate)
        assertEquals("q", host.last.request.question)
        host.last.end("a")
        assertEquals(listOf("q", "a"), store.texts)
    }

    @Test
    fun `without any model the host is asked all the same, and says what is missing`() {
        val store = world.store()
        world.library.dispatch(LibraryEvent.Loaded(emptyList(), emptyList(), emptyList(), null, null))
        store.ask("q")
        host.last.end("", ReplyEnd.NoModel(ModelProblem.Missing("/somewhere")))
        assertEquals(ReplyStatus.NoModel(ModelProblem.Missing("/somewhere")), store.state.lastStatus)
        assertNull(store.reply.answeredBy)
    }

    @Test
    fun `stop reaches the host once, and the text so far stays and is part of the history`() {
        val store = world.store()
        store.ask("long one")
        host.last.grow("xxxxx")
        store.dispatch(ChatEvent.Stop)
        store.dispatch(ChatEvent.Stop)
        assertEquals(1, host.last.stops)
        assertEquals(ReplyStatus.Active(stopping = true), store.state.lastStatus)
        host.last.end("xxxxxx", ReplyEnd.Stopped(null))
        assertEquals("xxxxxx", store.reply.text)
        assertEquals(ReplyStatus.Stopped(null), store.state.lastStatus)
        store.ask("next")
        assertEquals(turns("long one" to "xxxxxx"), host.last.request.config.history)
    }

    @Test
    fun `another reply is asked for without the last one`() {
        val store = world.store()
        world.converse(store, "one", "first")
        world.converse(store, "two", "second")
        store.dispatch(ChatEvent.Regenerate)
        assertEquals("two", host.last.request.question)
        assertEquals(turns("one" to "first"), host.last.request.config.history)
        host.last.end("better")
        assertEquals(listOf("one", "first", "two", "better"), store.texts)
    }

    @Test
    fun `an edited question is asked in place of the last one`() {
        val store = world.store()
        world.converse(store, "one", "first")
        world.converse(store, "two", "second")
        store.dispatch(ChatEvent.Edit)
        store.ask("zwei")
        assertEquals("zwei", host.last.request.question)
        assertEquals(turns("one" to "first"), host.last.request.config.history)
        assertEquals(listOf("one", "first", "zwei", ""), store.texts)
    }

    @Test
    fun `a question that comes before settings and library are known waits for them`() {
        val early = ChatFixture(loaded = false)
        val store = early.store()
        store.ask("q")
        assertEquals(0, early.host.asked.size)
        assertTrue(store.state.activeReply != null)
        early.load(Settings(selection = Selection("gemma", "poems")))
        assertEquals(listOf("q"), early.host.asked.map { it.request.question })
        assertEquals(Selection("gemma", "poems"), early.host.last.request.selection)
        assertEquals("Gemma · Poems", store.reply.answeredBy)
        early.settings.change { it.copy(threads = 3) }
        assertEquals(1, early.host.asked.size)
    }

    @Test
    fun `stop before the host was asked asks it nothing`() {
        val early = ChatFixture(loaded = false)
        val store = early.store()
        store.ask("q")
        store.dispatch(ChatEvent.Stop)
        assertEquals(ReplyStatus.Stopped(null), store.state.lastStatus)
        early.load()
        assertEquals(0, early.host.asked.size)
    }

    @Test
    fun `a new chat stops the reply under way and begins without a history`() {
        val store = world.store()
        store.ask("old")
        host.last.grow("half")
        store.dispatch(ChatEvent.NewChat(2))
        assertEquals(1, host.last.stops)
        host.last.end("half and more", ReplyEnd.Stopped(null))
        assertEquals(emptyList<Message>(), store.state.messages)
        store.ask("new")
        assertEquals(emptyList<Turn>(), host.last.request.config.history)
        assertEquals(listOf("new", ""), store.texts)
    }

    @Test
    fun `what is over is not stopped again by leaving`() {
        val store = world.store()
        world.converse(store, "q", "a")
        store.dispatch(ChatEvent.NewChat(2))
        assertEquals(0, host.last.stops)
    }
}
