package io.pocketgemma.chat.history

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.ConversationStorage
import io.pocketgemma.chat.conversation.MAX_TITLE_LENGTH
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.StorageError
import io.pocketgemma.chat.export.Export
import io.pocketgemma.chat.export.ExportFormat
import io.pocketgemma.chat.export.ExportLabels
import io.pocketgemma.chat.export.ExportTarget
import io.pocketgemma.chat.fake.ManualExecutor
import io.pocketgemma.chat.fake.ManualMainThread
import java.text.DateFormat
import java.util.Date
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class HistoryStoreTest {
    /** Keeps its conversations in memory and records its calls. */
    private class FakeStorage : ConversationStorage {
        val lines = linkedMapOf<Long, ConversationListItem>()
        val hidden = mutableSetOf<Long>()
        val done = mutableListOf<String>()
        var storageError: StorageError? = null

        fun add(id: Long, title: String) {
            lines[id] = ConversationListItem(id, title, "…", changedMillis = 1000 - id, messages = 2)
        }

        override fun list(query: String): List<ConversationListItem> {
            done += "list $query"
            return lines.values.filter { it.id !in hidden && query in it.title }
        }

        override fun read(id: Long): Conversation? = lines[id]?.takeIf { id !in hidden }?.let {
            Conversation(id, it.title, listOf(Message.Question(0, "Q"), Message.Reply(1, "A", ReplyStatus.Complete(null))))
        }

        override fun lastOpen(): Long? = null

        override fun open(id: Long) = Unit

        override fun write(conversation: Conversation, unchanged: Int) = true

        override fun rename(id: Long, title: String) {
            done += "rename $id $title"
            lines.computeIfPresent(id) { _, line -> line.copy(title = title) }
        }

        override fun delete(id: Long) {
            done += "delete $id"
            hidden += id
        }

        override fun restore(id: Long) {
            done += "restore $id"
            hidden -= id
        }

        override fun purge() {
            done += "purge"
            lines.keys -= hidden
        }

        override fun takeError() = storageError.also { storageError = null }

        override fun close() = Unit
    }

    private val storage = FakeStorage().apply { listOf("Iron", "Gold", "Zinc").forEachIndexed { id, title -> add(id.toLong(), title) } }
    private val disk = ManualExecutor()
    private val main = ManualMainThread()
    private val words = ExportLabels("Chat", "You", "Reply", "Summary", "Stopped", "No reply")
    private val store = HistoryStore(storage, disk, main, now = { 5000 }, labels = { words })

    private val titles get() = store.state.conversations.map { it.title }

    private fun settle() {
        do {
            val ran = disk.run()
        } while (main.advance() || ran)
        storage.done.clear()
    }

    private fun doneAfter(vararg events: HistoryEvent): List<String> {
        events.forEach(store::dispatch)
        disk.run()
        return storage.done.toList()
    }

    @Test
    fun `the list comes by itself, off the main thread`() {
        assertTrue(!store.state.loaded && storage.done.isEmpty())
        settle()
        assertTrue(store.state.loaded)
        assertEquals(listOf("Iron", "Gold", "Zinc"), titles)
    }

    @Test
    fun `what was written since is read again`() {
        settle()
        disk.execute { storage.add(9, "Lead") }
        store.dispatch(HistoryEvent.Refresh)
        settle()
        assertEquals(listOf("Iron", "Gold", "Zinc", "Lead"), titles)
    }

    @Test
    fun `of searches typed in a row only the last is run`() {
        settle()
        assertEquals(listOf("list Gold"), doneAfter(HistoryEvent.Search("G"), HistoryEvent.Search("Go"), HistoryEvent.Search("Gold")))
        settle()
        assertEquals(listOf("Gold"), titles)
    }

    @Test
    fun `a late list of an older search changes nothing`() {
        settle()
        store.dispatch(HistoryEvent.Search("Iron"))
        disk.run()
        store.dispatch(HistoryEvent.Search("Zinc"))
        main.advance()
        assertEquals(listOf("Iron", "Gold", "Zinc"), titles)
        settle()
        assertEquals(listOf("Zinc"), titles)
    }

    @Test
    fun `a list read before something was deleted does not bring it back`() {
        settle()
        store.dispatch(HistoryEvent.Refresh)
        disk.run()
        store.dispatch(HistoryEvent.Delete(1))
        main.advance()
        assertEquals(listOf("Iron", "Zinc"), titles)
    }

    @Test
    fun `a deleted conversation goes at once and comes back when that is undone`() {
        settle()
        store.dispatch(HistoryEvent.Delete(1))
        assertEquals(listOf("Iron", "Zinc"), titles)
        assertEquals("Gold", store.state.deleted?.title)
        settle()
        assertEquals(listOf("Iron", "Zinc"), titles)
        assertEquals(listOf("restore 1", "list "), doneAfter(HistoryEvent.Undo))
        settle()
        assertEquals(listOf("Iron", "Gold", "Zinc"), titles)
        assertNull(store.state.deleted)
    }

    @Test
    fun `a deleted conversation is gone for good when the time to undo is over, or another is deleted`() {
        settle()
        assertEquals(listOf("delete 1", "list ", "purge"), doneAfter(HistoryEvent.Delete(1), HistoryEvent.UndoOver))
        settle()
        assertNull(store.state.deleted)
        assertEquals(listOf("delete 0", "purge", "delete 2", "list "), doneAfter(HistoryEvent.Delete(0), HistoryEvent.Delete(2)))
        settle()
        store.dispatch(HistoryEvent.Undo)
        settle()
        assertEquals(listOf("Zinc"), titles)
    }

    @Test
    fun `deleting twice, and undoing nothing, do nothing`() {
        settle()
        assertEquals(listOf("delete 1", "list "), doneAfter(HistoryEvent.Delete(1), HistoryEvent.Delete(1)))
        settle()
        store.dispatch(HistoryEvent.Undo)
        settle()
        assertEquals(emptyList<String>(), doneAfter(HistoryEvent.Undo, HistoryEvent.UndoOver))
        assertEquals(listOf("Iron", "Gold", "Zinc"), titles)
    }

    @Test
    fun `one that the search does not show can be deleted and had back, too`() {
        settle()
        store.dispatch(HistoryEvent.Search("Iron"))
        settle()
        store.dispatch(HistoryEvent.Delete(2))
        store.dispatch(HistoryEvent.Undo)
        store.dispatch(HistoryEvent.Search(""))
        settle()
        assertEquals(listOf("Iron", "Gold", "Zinc"), titles)
    }

    @Test
    fun `a new name is shown at once, on one line and not without end`() {
        settle()
        assertEquals(listOf("rename 1 Au and more", "list "), doneAfter(HistoryEvent.Rename(1, "  Au\nand more ")))
        assertEquals(listOf("Iron", "Au and more", "Zinc"), titles)
        store.dispatch(HistoryEvent.Rename(1, "x".repeat(1000)))
        assertEquals(MAX_TITLE_LENGTH, titles[1].length)
    }

    @Test
    fun `a name of spaces leaves the old one`() {
        settle()
        assertEquals(emptyList<String>(), doneAfter(HistoryEvent.Rename(1, " \n")))
        assertEquals("Gold", titles[1])
    }

    @Test
    fun `the open chat is notified of its new name and of its deletion, after the storage`() {
        val heard = mutableListOf<String>()
        store.onRenamed = { id, title -> heard += "$id is $title" }
        store.onDeleted = { id ->
            heard += "$id is gone"
            disk.execute { storage.done += "last words of $id" }
        }
        settle()
        assertEquals(listOf("rename 1 Au", "delete 1", "last words of 1", "list "), doneAfter(HistoryEvent.Rename(1, "Au"), HistoryEvent.Delete(1)))
        assertEquals(listOf("1 is Au", "1 is gone"), heard)
    }

    @Test
    fun `an export has the day when something was last said, and goes when it was taken`() {
        settle()
        val asked = HistoryEvent.Export(1, ExportFormat.MARKDOWN, ExportTarget.SAVE)
        store.dispatch(asked)
        assertNull(store.state.export)
        settle()
        val date = DateFormat.getDateInstance(DateFormat.LONG).format(Date(999))
        val export = Export("Gold.md", ExportFormat.MARKDOWN, "# Gold\n\n$date\n\n## You\n\nQ\n\n## Reply\n\nA\n")
        assertEquals(ExportResult(asked, export), store.state.export)
        store.dispatch(HistoryEvent.Exported)
        assertNull(store.state.export)
        store.dispatch(asked)
        settle()
        assertEquals("Gold.md", store.state.export?.export?.fileName)
    }

    @Test
    fun `exporting what is gone is answered without a file`() {
        settle()
        val asked = HistoryEvent.Export(77, ExportFormat.TEXT, ExportTarget.SHARE)
        store.dispatch(asked)
        settle()
        assertEquals(ExportResult(asked, null), store.state.export)
        assertNull(store.state.exporting)
    }

    @Test
    fun `trouble with the storage is reported until it is noted, even by a list that comes too late`() {
        settle()
        storage.storageError = StorageError.NotWritten("disk full")
        store.dispatch(HistoryEvent.Refresh)
        disk.run()
        store.dispatch(HistoryEvent.Search("Iron"))
        settle()
        assertEquals(StorageError.NotWritten("disk full"), store.state.storageError)
        store.dispatch(HistoryEvent.StorageErrorShown)
        store.dispatch(HistoryEvent.Refresh)
        settle()
        assertNull(store.state.storageError)
    }
}
