package io.pocketgemma.chat.conversation

import java.io.Closeable

/** A conversation in the list. */
data class ConversationLine(
    val id: Long,
    val title: String,
    /** Where a search found its words, or the end of the conversation. One line. */
    val snippet: String,
    /** When something was last said, in milliseconds since 1970. */
    val changedMillis: Long,
    val messages: Int,
)

/** What went wrong with the storage, for a word about it. */
sealed interface StorageTrouble {
    /** What was stored could not be read. It was kept as [file], beside a new and empty storage. */
    data class Damaged(val file: String) : StorageTrouble

    /** What is stored could not be read for now, and nothing is shown of it; [detail] is the system's own message. */
    data class NotRead(val detail: String) : StorageTrouble

    /** Something could not be stored; [detail] is the system's own message. */
    data class NotWritten(val detail: String) : StorageTrouble
}

/**
 * Where conversations are kept. One thread of its own only. Nothing here throws: what goes wrong is told by [takeTrouble], once.
 *
 * Conversations without a message, a draft or a carried summary are not listed.
 */
interface ConversationStorage : Closeable {
    /**
     * The newest first; with [query], those that have all its words (or beginnings or middles of words) in the title or in one message,
     * without regard to case and accents.
     */
    fun list(query: String = ""): List<ConversationLine>

    /** Null: there is none of this id, or it was deleted. */
    fun read(id: Long): Conversation?

    /** The one that was open last, if it is still there. */
    fun lastOpen(): Long?

    /** Remembers which one is open. */
    fun open(id: Long)

    /**
     * Writes a conversation, new or known. Messages before [unchanged] are as they were stored. Only a change of messages counts as
     * something said; a draft or a place does not move it up the list. One that was deleted stays so.
     *
     * @return false: nothing of it could be stored.
     */
    fun write(conversation: Conversation, unchanged: Int = 0): Boolean

    fun rename(id: Long, title: String)

    /** Hides it from everything but [restore]. */
    fun delete(id: Long)

    fun restore(id: Long)

    /** Removes for good what was deleted. What was deleted and not restored before the app ended is removed when it starts. */
    fun purge()

    /** What went wrong since this was last asked. */
    fun takeTrouble(): StorageTrouble? = null
}
