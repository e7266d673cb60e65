package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.ConversationStorage
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.store.MainThread
import java.util.concurrent.Executor

/**
 * Brings the open conversation to the storage and back. Everything happens on [disk] in the order in which it was asked for, so the last
 * write wins and nothing is read before what was written.
 *
 * A storage that fails loses nothing that is on the screen: the next write brings everything again.
 *
 * @param changed called on the main thread when something was written that the list of conversations shows.
 */
internal class ConversationSaver(
    private val storage: ConversationStorage,
    private val disk: Executor,
    private val main: MainThread,
    private val changed: () -> Unit,
) {
    // The open conversation as the storage has it, as far as that is known. On disk only.
    private var stored: Conversation? = null

    /** Hands the conversation that was open last to [then], on the main thread; null: there is none. */
    fun readLast(then: (Conversation?) -> Unit) = read({ storage.lastOpen() }, then)

    /** Hands a conversation to [then], on the main thread; null: it is gone. */
    fun read(id: Long, then: (Conversation?) -> Unit) = read({ id }, then)

    /** Remembers which conversation is open, for the next start. */
    fun remember(id: Long) = disk.execute { orElse(Unit) { storage.open(id) } }

    /** Writes what differs from what is stored. */
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

    // Whatever a database throws must not end the app: the conversation on the screen goes on.
    private fun <T> orElse(otherwise: T, task: () -> T): T = try {
        task()
    } catch (_: RuntimeException) {
        otherwise
    }

    private fun unchanged(before: List<Message>, now: List<Message>): Int = before.zip(now).takeWhile { (one, two) -> one == two }.size
}
