package io.pocketgemma.chat.history

import io.pocketgemma.chat.chat.Message
import io.pocketgemma.chat.chat.ScrollPlace
import java.io.Closeable

/** A stored conversation. Messages are numbered from 0; a reply that was under way when it was stored is Stopped when it is read. */
data class Conversation(
    /** Random, chosen by the one who begins it. */
    val id: Long,
    val title: String,
    val messages: List<Message> = emptyList(),
    val carried: String = "",
    val draft: String = "",
    val scroll: ScrollPlace? = null,
)

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

/** Where conversations are kept. One thread of its own only. */
interface ConversationStorage : Closeable {
    /** The newest first; with [query], those in whose title or messages it occurs, without regard to case. */
    fun list(query: String = ""): List<ConversationLine>

    fun read(id: Long): Conversation?

    /** The one that was open last. */
    fun lastOpen(): Long?

    /** Remembers which one is open. */
    fun open(id: Long)

    /**
     * Writes a conversation, new or known. Messages before [unchanged] are as they were stored. Only a change of messages counts as
     * something said; a draft or a place does not move it up the list.
     */
    fun write(conversation: Conversation, unchanged: Int = 0)

    fun rename(id: Long, title: String)

    /** Hides it from everything but [restore]. */
    fun delete(id: Long)

    fun restore(id: Long)

    /** Removes for good what was deleted. */
    fun purge()
}
