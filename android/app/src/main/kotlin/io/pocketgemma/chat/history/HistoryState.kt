package io.pocketgemma.chat.history

/** The list of conversations. */
data class HistoryState(
    val loaded: Boolean = false,
    val conversations: List<ConversationLine> = emptyList(),
    val query: String = "",
    /** Deleted last, and still to be had back. */
    val deleted: ConversationLine? = null,
    /** Asked for by [HistoryEvent.Export]; the screen takes it, hands it on and says [HistoryEvent.Exported]. */
    val export: Export? = null,
)

enum class ExportFormat(val mimeType: String, val extension: String) {
    MARKDOWN("text/markdown", "md"),
    TEXT("text/plain", "txt"),
}

/** A conversation as a file to share or save. */
data class Export(val fileName: String, val format: ExportFormat, val text: String)

sealed interface HistoryEvent {
    /** Something was said, renamed or removed: read the list again. */
    data object Refresh : HistoryEvent

    data class Loaded(val query: String, val conversations: List<ConversationLine>) : HistoryEvent

    data class Search(val query: String) : HistoryEvent

    data class Rename(val id: Long, val title: String) : HistoryEvent

    data class Delete(val id: Long) : HistoryEvent

    data object Undo : HistoryEvent

    /** The time to undo is over. */
    data object UndoOver : HistoryEvent

    data class Export(val id: Long, val format: ExportFormat) : HistoryEvent

    data class ExportReady(val export: io.pocketgemma.chat.history.Export) : HistoryEvent

    data object Exported : HistoryEvent
}
