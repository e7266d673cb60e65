package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.ConversationStorage
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.store.MainThread
import java.util.concurrent.Executor

/**
 * Stores the open conversation and loads it. All tasks run on [disk] in order, so the last write wins and a read sees all earlier writes.
 *
 * A failing storage loses nothing that is on the screen: the next write stores everything again.
 *
 * @param changed called on the main thread after a change that the list of conversations shows was written.
 */
internal class ConversationSaver(
    private val storage: ConversationStorage,
    private val disk: Executor,
    private val main: MainThread,
    private val changed: () -> Unit,
) {
    // The open conversation as stored, as far as known. On [disk] only.
    private var stored: Conversation? = null

    /** Passes the conversation that was open last to [then], on the main thread; null: there is none. */
    fun readLast(then: (Conversation?) -> Unit) = read({ storage.lastOpen() }, then)

    /** Passes a conversation to [then], on the main thread; null: it no longer exists. */
    fun read(id: Long, then: (Conversation?) -> Unit) = read({ id }, then)

    /** Stores which conversation is open, for the next start. */
    fun remember(id: Long) = disk.execute { orElse(Unit) { storage.open(id) } }

    /** Writes the differences from what is stored. */
    fun write(conversation: Conversation) = disk.execute {
        val before = stored?.takeIf { it.id == conversation.id }
        if (conversation == before || before == null && !conversation.isWorthKeeping) return@execute
        val unchanged = unchanged(before?.messages.orEmpty(), conversation.messages)
        if (orElse(false) { storage.write(conversation, unchanged) }) stored = conversation
        if (conversation.messages != before?.messages || conversation.title != before.title) main.post { changed() }
    }

    private fun read(id: () -> Long?, then: (Conversation?) -> Unit) = disk.execute {
        val conversation = orElse(null) { id()?.let { storage.read(it) } }
        stored = conversation
        main.post { then(conversation) }
    }

    // An exception of the database must not crash the app: the conversation on the screen continues.
    private fun <T> orElse(otherwise: T, task: () -> T): T = try {
        task()
    } catch (_: RuntimeException) {
        otherwise
    }

    private fun unchanged(before: List<Message>, now: List<Message>): Int = before.zip(now).takeWhile { (one, two) -> one == two }.size
}
