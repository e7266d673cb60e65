package io.pocketgemma.chat.chat

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.compare.CompareEvent
import io.pocketgemma.chat.compare.CompareStore
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.fake.RuntimeFixture
import io.pocketgemma.chat.fake.ask
import io.pocketgemma.chat.fake.lastStatus
import io.pocketgemma.chat.fake.texts
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** The stores, the host, and the runtime together, with the demo model. */
class ChatOnRuntimeTest {
    @get:Rule
    val folder = TemporaryFolder()
    private val world by lazy { RuntimeFixture(folder.root) }

    @After
    fun close() = world.close()

    private fun chat() = world.chat().also { store -> world.until { store.state.loaded } }

    private fun ChatStore.answered(question: String) {
        ask(question)
        world.until { state.canAsk }
    }

    @Test
    fun `a question is answered, once more, and in a new chat`() {
        val store = chat()
        store.answered(TestModels.question)
        assertEquals(listOf(TestModels.question, TestModels.answer), store.texts)
        assertTrue(store.state.lastStatus is ReplyStatus.Complete)
        store.dispatch(ChatEvent.Regenerate)
        world.until { store.state.canAsk }
        assertEquals(listOf(TestModels.question, TestModels.answer), store.texts)
        store.dispatch(ChatEvent.NewChat(2))
        store.answered(TestModels.question)
        assertEquals(listOf(TestModels.question, TestModels.answer), store.texts)
    }

    @Test
    fun `stop ends a reply that would go on, and the next process has what was written`() {
        world.settings.change { it.copy(selection = world.endless) }
        val store = chat()
        store.ask("Go on.")
        world.until { store.state.messages.last().text.length > 20 }
        store.dispatch(ChatEvent.Stop)
        world.until { store.state.canAsk }
        assertTrue(store.state.lastStatus is ReplyStatus.Stopped)
        val written = store.texts
        assertEquals(written, chat().texts)
    }

    @Test
    fun `a conversation that is full goes on in a new one`() {
        val store = chat()
        store.answered(TestModels.question)
        val tooMuch = "What is iron? ".repeat(400).trim()
        store.answered(tooMuch)
        assertEquals(ReplyStatus.ContextFull, store.state.lastStatus)
        store.dispatch(ChatEvent.ContinueWithSummary(2))
        world.until { store.state.conversation == 2L }
        assertNotEquals("", store.state.summary)
        assertEquals(tooMuch, store.state.draft)
        store.answered("What is iron?")
        assertNotEquals("", store.texts.last())
    }

    @Test
    fun `before and after answer the same question one after the other`() {
        world.settings.change { it.copy(replyTokens = 16) }
        val store = CompareStore(world.inference)
        store.dispatch(CompareEvent.Ask(TestModels.question))
        world.until { !store.state.running }
        assertEquals(TestModels.answer, store.state.after.text)
        assertFalse(store.state.before.text in setOf("", TestModels.answer))
    }
}
