package io.pocketgemma.chat.history

import android.app.Application
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.StorageError
import io.pocketgemma.chat.export.Export
import io.pocketgemma.chat.export.ExportFormat
import io.pocketgemma.chat.export.ExportTarget
import io.pocketgemma.chat.fake.RecordingShell
import io.pocketgemma.chat.fake.RecordingStore
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class HistoryNoticesTest {
    private val history = RecordingStore<HistoryState, HistoryEvent>(HistoryState(loaded = true))
    private val shell = RecordingShell()
    private val resources = RuntimeEnvironment.getApplication().resources
    private val cobalt = ConversationListItem(2, "Cobalt", "Element 27.", 0, 2)
    private val old = ConversationListItem(3, "", "Long ago.", 0, 2)
    private val export = Export("gold.txt", ExportFormat.TEXT, "Gold")

    init {
        history.observe(HistoryNotices(history, shell, resources)::show)
    }

    private fun answer(target: ExportTarget, export: Export?) =
        history.become(history.state.copy(export = ExportResult(HistoryEvent.Export(1, ExportFormat.TEXT, target), export)))

    @Test
    fun `a deleted one can be had back for a while`() {
        history.become(history.state.copy(deleted = cobalt))
        val notice = shell.notices.single()
        assertEquals("“Cobalt” deleted" to "Undo", notice.text to notice.action)
        notice.act()
        assertEquals(HistoryEvent.Undo, history.events.last())
        notice.gone()
        assertEquals(HistoryEvent.UndoOver, history.events.last())
    }

    @Test
    fun `the notice of one deletion does not end the time of the next`() {
        history.become(history.state.copy(deleted = cobalt))
        history.become(history.state.copy(deleted = old))
        shell.notices.first().gone()
        assertEquals(emptyList<HistoryEvent>(), history.events)
        assertEquals("“${resources.getString(R.string.untitled)}” deleted", shell.notices.last().text)
    }

    @Test
    fun `an export goes the way that it was asked for`() {
        answer(ExportTarget.SHARE, export)
        assertEquals(listOf(export) to emptyList<Export>(), shell.sharedExports to shell.savedExports)
        answer(ExportTarget.SAVE, export.copy(text = "Au"))
        assertEquals(listOf(export) to listOf(export.copy(text = "Au")), shell.sharedExports to shell.savedExports)
        assertEquals(HistoryEvent.Exported, history.events.last())
    }

    @Test
    fun `a failed export is reported`() {
        answer(ExportTarget.SHARE, null)
        assertEquals(listOf("Couldn’t export this chat. It may have been deleted."), shell.notices.map { it.text })
        assertEquals(HistoryEvent.Exported, history.events.last())
    }

    @Test
    fun `trouble with the storage is reported once`() {
        history.become(history.state.copy(storageError = StorageError.NotWritten("ENOSPC")))
        assertEquals(listOf(resources.getString(R.string.storage_not_written, "ENOSPC")), shell.notices.map { it.text })
        assertEquals(listOf<HistoryEvent>(HistoryEvent.StorageErrorShown), history.events)
    }
}
