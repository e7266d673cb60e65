package io.pocketgemma.chat.history

import android.app.Application
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.ChatStore
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.export.ExportLabels
import io.pocketgemma.chat.fake.ChatFixture
import io.pocketgemma.chat.fake.ask
import io.pocketgemma.chat.fake.converse
import io.pocketgemma.chat.fake.last
import io.pocketgemma.chat.fake.texts
import io.pocketgemma.chat.storage.SqliteStorage
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** The open chat and the list of conversations over one real storage. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class ConversationsTogetherTest {
    private var time = 1000L
    private var nextId = 1000L

    /** Everything that a process has; another instance is the next start. */
    private inner class Process : AutoCloseable {
        val world = ChatFixture()
        val storage = SqliteStorage(RuntimeEnvironment.getApplication()) { time++ }
        val history = HistoryStore(storage, world.disk, world.main, { time }, { ExportLabels("Chat", "You", "Reply", "Summary", "Stopped", "No reply") })
        val chat = ChatStore(
            world.host, storage, world.disk, world.main, world.inference, ChatFixture.Words, { history.dispatch(HistoryEvent.Refresh) }, { nextId++ },
        )
        val titles get() = history.state.conversations.map { it.title }
        val open get() = chat.state.conversation

        init {
            history.onRenamed = { id, title -> chat.dispatch(ChatEvent.Renamed(id, title)) }
            history.onDeleted = { id -> chat.dispatch(ChatEvent.Removed(id, next = nextId++)) }
            world.settle()
        }

        fun converse(question: String, reply: String) = world.converse(chat, question, reply)

        fun list(event: HistoryEvent) {
            history.dispatch(event)
            world.settle()
        }

        override fun close() = storage.close()
    }

    private var process = Process()

    private fun restart() {
        process.close()
        process = Process()
    }

    @After
    fun close() = process.close()

    @Test
    fun `what is said is in the list, and the chat is there again after the process has ended in the middle of a reply`() {
        process.converse("What is Fe?", "Iron.")
        assertEquals(listOf("What is Fe?"), process.titles)
        process.chat.ask("And Au?")
        process.world.host.last.grow("Go")
        process.chat.save()
        process.world.settle()
        restart()
        assertEquals(listOf("What is Fe?", "Iron.", "And Au?", "Go"), process.chat.texts)
        assertEquals(ReplyStatus.Stopped(null), (process.chat.state.messages.last() as Message.Reply).status)
        assertEquals("Go", process.history.state.conversations.single().snippet)
    }

    @Test
    fun `a name given in the list is the open chat's, and stays when the chat goes on`() {
        process.converse("What is Fe?", "Iron.")
        process.list(HistoryEvent.Rename(process.open, "Metals"))
        assertEquals("Metals", process.chat.state.title)
        process.converse("And Au?", "Gold.")
        assertEquals(listOf("Metals"), process.titles)
        restart()
        assertEquals("Metals", process.chat.state.title)
    }

    @Test
    fun `the open chat can be deleted, had back and opened with everything in it`() {
        process.converse("What is Fe?", "Iron.")
        val id = process.open
        process.list(HistoryEvent.Delete(id))
        assertTrue(process.open != id && process.chat.texts.isEmpty())
        process.converse("Something else", "Fine.")
        assertEquals(listOf("Something else"), process.titles)
        process.list(HistoryEvent.Undo)
        assertEquals(listOf("Something else", "What is Fe?"), process.titles)
        process.chat.dispatch(ChatEvent.Open(id))
        process.world.settle()
        assertEquals(listOf("What is Fe?", "Iron."), process.chat.texts)
    }

    @Test
    fun `what was deleted while its reply was being written does not come back`() {
        process.converse("What is Fe?", "Iron.")
        process.chat.ask("And Au?")
        process.list(HistoryEvent.Delete(process.open))
        process.world.host.last.end("Gold.")
        process.world.pass(60_000)
        process.list(HistoryEvent.UndoOver)
        assertEquals(emptyList<String>(), process.titles)
        restart()
        process.list(HistoryEvent.Refresh)
        assertEquals(emptyList<String>(), process.titles)
        assertTrue(process.chat.texts.isEmpty())
    }
}
