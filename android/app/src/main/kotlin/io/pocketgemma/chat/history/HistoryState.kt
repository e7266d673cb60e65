package io.pocketgemma.chat.history

import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.MAX_TITLE_LENGTH
import io.pocketgemma.chat.conversation.StorageError
import io.pocketgemma.chat.export.Export
import io.pocketgemma.chat.export.ExportFormat
import io.pocketgemma.chat.export.ExportTarget
import io.pocketgemma.chat.text.singleLine
import io.pocketgemma.chat.text.truncated

/** The list of conversations. */
data class HistoryState(
    val loaded: Boolean = false,
    val conversations: List<ConversationListItem> = emptyList(),
    val query: String = "",
    /** The last deleted conversation, which can still be restored. */
    val deleted: ConversationListItem? = null,
    /** Requested by [HistoryEvent.Export]; the screen takes it, passes it on, and dispatches [HistoryEvent.Exported]. */
    val export: ExportResult? = null,
    /** Being loaded, to become [export]. */
    val exporting: HistoryEvent.Export? = null,
    /** A problem with the storage; the screen shows it and dispatches [HistoryEvent.StorageErrorShown]. */
    val storageError: StorageError? = null,
    /** Number of requests for the list: only the latest answer counts. */
    val reading: Long = 0,
)

/** The result of [request]; null: the conversation no longer exists, or cannot be read. */
data class ExportResult(val request: HistoryEvent.Export, val export: Export?)

sealed interface HistoryEvent {
    /** A conversation was changed, renamed, or deleted: load the list again. */
    data object Refresh : HistoryEvent

    /** The result of request number [reading]. */
    data class Loaded(val reading: Long, val conversations: List<ConversationListItem>, val storageError: StorageError? = null) : HistoryEvent

    data class Search(val query: String) : HistoryEvent

    data class Rename(val id: Long, val title: String) : HistoryEvent

    data class Delete(val id: Long) : HistoryEvent

    data object Undo : HistoryEvent

    /** The undo period is over. */
    data object UndoOver : HistoryEvent

    data class Export(val id: Long, val format: ExportFormat, val target: ExportTarget) : HistoryEvent

    data class ExportReady(val result: ExportResult) : HistoryEvent

    data object Exported : HistoryEvent

    data object StorageErrorShown : HistoryEvent
}

/** The state after an event. Pure. */
fun HistoryState.reduce(event: HistoryEvent): HistoryState = when (event) {
    HistoryEvent.Refresh -> copy(reading = reading + 1)
    is HistoryEvent.Loaded -> if (event.reading == reading) {
        copy(loaded = true, conversations = event.conversations, storageError = event.storageError ?: storageError)
    } else {
        copy(storageError = event.storageError ?: storageError)
    }
    is HistoryEvent.Search -> if (event.query == query) this else copy(query = event.query, reading = reading + 1)
    is HistoryEvent.Rename -> event.newTitle?.let { title ->
        val renamed = conversations.map { if (it.id == event.id) it.copy(title = title) else it }
        copy(conversations = renamed, reading = reading + 1)
    } ?: this
    is HistoryEvent.Delete -> if (event.id == deleted?.id) this else copy(
        conversations = conversations.filter { it.id != event.id },
        deleted = conversations.find { it.id == event.id } ?: ConversationListItem(event.id, "", "", changedMillis = 0, messages = 0),
        reading = reading + 1,
    )
    HistoryEvent.Undo -> if (deleted == null) this else copy(deleted = null, reading = reading + 1)
    HistoryEvent.UndoOver -> copy(deleted = null)
    is HistoryEvent.Export -> copy(exporting = event)
    is HistoryEvent.ExportReady -> copy(exporting = exporting.takeIf { it != event.result.request }, export = event.result)
    HistoryEvent.Exported -> copy(export = null)
    HistoryEvent.StorageErrorShown -> copy(storageError = null)
}

/** Null: a blank name, which keeps the old one. */
internal val HistoryEvent.Rename.newTitle: String?
    get() = title.singleLine().truncated(MAX_TITLE_LENGTH).ifEmpty { null }
