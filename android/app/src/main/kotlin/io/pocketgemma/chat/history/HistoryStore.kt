package io.pocketgemma.chat.history

import io.pocketgemma.chat.conversation.ConversationStorage
import io.pocketgemma.chat.export.Export
import io.pocketgemma.chat.export.ExportLabels
import io.pocketgemma.chat.export.exported
import io.pocketgemma.chat.store.MainThread
import io.pocketgemma.chat.store.Store
import java.text.DateFormat
import java.util.Date
import java.util.concurrent.Executor

/**
 * The list of conversations. Code that writes to [storage] on [disk] must dispatch [HistoryEvent.Refresh] right after it submits the write:
 * [disk] runs tasks in order, so the list is loaded afterwards.
 *
 * @param disk the single thread of [storage].
 * @param now milliseconds since 1970.
 * @param labels called on the main thread for each export.
 */
class HistoryStore(
    private val storage: ConversationStorage,
    private val disk: Executor,
    private val main: MainThread,
    private val now: () -> Long,
    private val labels: () -> ExportLabels,
) : Store<HistoryState, HistoryEvent>(HistoryState()) {
    /** Called when a conversation is renamed or deleted, for the chat that may have it open. */
    var onRenamed: (id: Long, title: String) -> Unit = { _, _ -> }
    var onDeleted: (id: Long) -> Unit = {}

    /** The requested list; a waiting task for another list need not run. */
    @Volatile
    private var wanted = 0L

    init {
        dispatch(HistoryEvent.Refresh)
    }

    override fun reduce(state: HistoryState, event: HistoryEvent): HistoryState = state.reduce(event)

    override fun act(before: HistoryState, after: HistoryState, event: HistoryEvent) {
        when (event) {
            is HistoryEvent.Rename -> event.newTitle?.let { title ->
                disk.execute { storage.rename(event.id, title) }
                onRenamed(event.id, title)
            }
            is HistoryEvent.Delete -> {
                // Only the last deleted conversation can be restored.
                if (before.deleted != null) disk.execute(storage::purge)
                disk.execute { storage.delete(event.id) }
                onDeleted(event.id)
            }
            HistoryEvent.Undo -> before.deleted?.let { line -> disk.execute { storage.restore(line.id) } }
            HistoryEvent.UndoOver -> disk.execute(storage::purge)
            is HistoryEvent.Export -> export(event, labels())
            else -> Unit
        }
        if (after.reading != before.reading) read(after.reading, after.query)
    }

    private fun read(reading: Long, query: String) {
        wanted = reading
        disk.execute {
            if (reading != wanted) return@execute
            val lines = storage.list(query)
            val storageError = storage.takeError()
            main.post { dispatch(HistoryEvent.Loaded(reading, lines, storageError)) }
        }
    }

    private fun export(event: HistoryEvent.Export, labels: ExportLabels) = disk.execute {
        val export = storage.read(event.id)?.let { conversation ->
            val changed = storage.list().find { it.id == event.id }?.changedMillis ?: now()
            exported(conversation, event.format, DateFormat.getDateInstance(DateFormat.LONG).format(Date(changed)), labels)
        }
        main.post { dispatch(HistoryEvent.ExportReady(ExportResult(event, export))) }
    }
}
