package io.pocketgemma.chat.conversation

import java.io.Closeable

/** A conversation in the list. */
data class ConversationListItem(
    val id: Long,
    val title: String,
    /** The text around a search match, or the end of the conversation. One line. */
    val snippet: String,
    /** Time of the last message, in milliseconds since 1970. */
    val changedMillis: Long,
    val messages: Int,
)

/** A problem with the storage, to be reported to the user. */
sealed interface StorageError {
    /** The stored data could not be read. It was kept as [file], and the storage is new and empty. */
    data class Damaged(val file: String) : StorageError

    /** The stored data cannot be read at the moment, and none of it is shown; [detail] is the system's message. */
    data class NotRead(val detail: String) : StorageError

    /** Something could not be stored; [detail] is the system's message. */
    data class NotWritten(val detail: String) : StorageError
}

/**
 * Stores conversations. Used on a single thread. No method throws: [takeError] reports each problem once.
 *
 * Conversations without a message, a draft, or a carried summary are not listed.
 */
interface ConversationStorage : Closeable {
    /**
     * Newest first; with [query], those that contain all its words (or parts of words) in the title or in one message, ignoring case and
     * accents.
     */
    fun list(query: String = ""): List<ConversationListItem>

    /** Null: no conversation has this id, or it was deleted. */
    fun read(id: Long): Conversation?

    /** The conversation that was open last, if it still exists. */
    fun lastOpen(): Long?

    /** Stores which conversation is open. */
    fun open(id: Long)

    /**
     * Writes a new or existing conversation. Messages before [unchanged] are as stored. Only changed messages count as activity; a draft or
     * scroll position does not move the conversation up the list. A deleted conversation stays deleted.
     *
     * @return false: nothing could be stored.
     */
    fun write(conversation: Conversation, unchanged: Int = 0): Boolean

    fun rename(id: Long, title: String)

    /** Hides it from all methods but [restore]. */
    fun delete(id: Long)

    fun restore(id: Long)

    /**
     * Permanently removes what was deleted. Conversations that were deleted and not restored before the app ended are removed at the next
     * start.
     */
    fun purge()

    /** The problem since the last call. */
    fun takeError(): StorageError? = null
}
