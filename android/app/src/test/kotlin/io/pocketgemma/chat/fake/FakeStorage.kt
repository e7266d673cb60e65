package io.pocketgemma.chat.fake

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.ConversationStorage

/** Keeps conversations in memory, and relies on what it is given as unchanged messages. */
class FakeStorage : ConversationStorage {
    val kept = LinkedHashMap<Long, Conversation>()
    private val deleted = mutableSetOf<Long>()
    private var openId: Long? = null

    /** Its calls, in order: "read 1", "write 1: draft", "open 2". */
    val log = mutableListOf<String>()
    var fails = false

    /** Accepts writes, stores nothing, and reports that. */
    var isFull = false

    override fun list(query: String): List<ConversationListItem> =
        kept.values.filter { it.id !in deleted }.map { ConversationListItem(it.id, it.title, it.draft, 0, it.messages.size) }

    override fun read(id: Long): Conversation? {
        note("read $id")
        return kept[id].takeIf { id !in deleted }
    }

    override fun lastOpen(): Long? = openId.also { if (fails) throw IllegalStateException("damaged") }

    override fun open(id: Long) {
        note("open $id")
        openId = id
    }

    override fun write(conversation: Conversation, unchanged: Int): Boolean {
        note("write ${conversation.id}: ${conversation.messages.lastOrNull()?.text ?: conversation.draft}")
        if (isFull) return false
        val before = kept[conversation.id]?.messages.orEmpty().take(unchanged)
        kept[conversation.id] = conversation.copy(messages = before + conversation.messages.drop(before.size))
        return true
    }

    override fun rename(id: Long, title: String) {
        kept[id] = kept.getValue(id).copy(title = title)
    }

    override fun delete(id: Long) {
        deleted += id
    }

    override fun restore(id: Long) {
        deleted -= id
    }

    override fun purge() = deleted.forEach { kept.remove(it) }

    override fun close() = Unit

    private fun note(what: String) {
        if (fails) throw IllegalStateException("the disk is full")
        log += what
    }
}
