package io.pocketgemma.chat.history

/** The list of conversations. */
data class HistoryState(
    val loaded: Boolean = false,
    val conversations: List<ConversationLine> = emptyList(),
    val query: String = "",
    /** Deleted last, and still to be had back. */
    val deleted: ConversationLine? = null,
    /** Asked for by [HistoryEvent.Export]; the screen takes it, hands it on and says [HistoryEvent.Exported]. */
    val export: ExportAnswer? = null,
    /** Being read, to become [export]. */
    val exporting: HistoryEvent.Export? = null,
    /** What went wrong with the storage; the screen tells it and says [HistoryEvent.TroubleNoted]. */
    val trouble: StorageTrouble? = null,
    /** Counts how often the list was asked for: only the last answer counts. */
    val reading: Long = 0,
)

enum class ExportFormat(val mimeType: String, val extension: String) {
    MARKDOWN("text/markdown", "md"),
    TEXT("text/plain", "txt"),
}

/** Where the person wants an export: in the system's share sheet, or in a file. */
enum class ExportWay { SHARE, SAVE }

/** A conversation as a file to share or save. */
data class Export(val fileName: String, val format: ExportFormat, val text: String)

/** What came of [asked]; null: the conversation is gone, or cannot be read. */
data class ExportAnswer(val asked: HistoryEvent.Export, val export: Export?)

sealed interface HistoryEvent {
    /** Something was said, renamed or removed: read the list again. */
    data object Refresh : HistoryEvent

    /** The answer to reading number [reading]. */
    data class Loaded(val reading: Long, val conversations: List<ConversationLine>, val trouble: StorageTrouble? = null) : HistoryEvent

    data class Search(val query: String) : HistoryEvent

    data class Rename(val id: Long, val title: String) : HistoryEvent

    data class Delete(val id: Long) : HistoryEvent

    data object Undo : HistoryEvent

    /** The time to undo is over. */
    data object UndoOver : HistoryEvent

    data class Export(val id: Long, val format: ExportFormat, val way: ExportWay) : HistoryEvent

    data class ExportReady(val answer: ExportAnswer) : HistoryEvent

    data object Exported : HistoryEvent

    data object TroubleNoted : HistoryEvent
}
