package io.pocketgemma.chat.history

import io.pocketgemma.chat.conversation.ConversationStorage
import io.pocketgemma.chat.export.Export
import io.pocketgemma.chat.export.ExportWords
import io.pocketgemma.chat.export.exported
import io.pocketgemma.chat.store.MainThread
import io.pocketgemma.chat.store.Store
import java.text.DateFormat
import java.util.Date
import java.util.concurrent.Executor

/**
 * The list of conversations. Whoever writes into [storage], on [disk], dispatches [HistoryEvent.Refresh] right after handing the writing
 * over: [disk] runs one thing after another, so the list is read after that.
 *
 * @param disk the one thread of [storage].
 * @param now milliseconds since 1970.
 * @param words asked on the main thread, whenever a conversation is exported.
 */
class HistoryStore(
    private val storage: ConversationStorage,
    private val disk: Executor,
    private val main: MainThread,
    private val now: () -> Long,
    private val words: () -> ExportWords,
) : Store<HistoryState, HistoryEvent>(HistoryState()) {
    /** Set to hear of a new name or the end of a conversation, for the chat that may have it open. */
    var onRenamed: (id: Long, title: String) -> Unit = { _, _ -> }
    var onDeleted: (id: Long) -> Unit = {}

    /** The list that is wanted; while it is another than a waiting task's, that one need not run. */
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
                // One can be had back: the one deleted last.
                if (before.deleted != null) disk.execute(storage::purge)
                disk.execute { storage.delete(event.id) }
                onDeleted(event.id)
            }
            HistoryEvent.Undo -> before.deleted?.let { line -> disk.execute { storage.restore(line.id) } }
            HistoryEvent.UndoOver -> disk.execute(storage::purge)
            is HistoryEvent.Export -> export(event, words())
            else -> Unit
        }
        if (after.reading != before.reading) read(after.reading, after.query)
    }

    private fun read(reading: Long, query: String) {
        wanted = reading
        disk.execute {
            if (reading != wanted) return@execute
            val lines = storage.list(query)
            val trouble = storage.takeTrouble()
            main.post { dispatch(HistoryEvent.Loaded(reading, lines, trouble)) }
        }
    }

    private fun export(event: HistoryEvent.Export, words: ExportWords) = disk.execute {
        val export = storage.read(event.id)?.let { conversation ->
            val changed = storage.list().find { it.id == event.id }?.changedMillis ?: now()
            exported(conversation, event.format, DateFormat.getDateInstance(DateFormat.LONG).format(Date(changed)), words)
        }
        main.post { dispatch(HistoryEvent.ExportReady(ExportAnswer(event, export))) }
    }
}
