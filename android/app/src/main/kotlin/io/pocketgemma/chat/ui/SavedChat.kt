package io.pocketgemma.chat.ui

import android.os.Bundle
import io.pocketgemma.chat.chat.Message
import io.pocketgemma.chat.chat.ReplyStatus

/** The messages in the activity's saved state, from which the chat comes back after the system has ended the process. */
object SavedChat {
    private const val TEXTS = "texts"
    private const val KINDS = "kinds"
    private const val QUESTION = 0
    private const val REPLY = 1
    private const val CUT_REPLY = 2

    /** The system allows about a megabyte for all saved state of an app; the end of a long chat is what matters. */
    private const val MOST_CHARACTERS = 100_000

    fun write(bundle: Bundle, messages: List<Message>) {
        var length = 0
        val kept = messages.takeLastWhile {
            length += it.text.length
            length < MOST_CHARACTERS
        }
        bundle.putStringArray(TEXTS, kept.map { it.text }.toTypedArray())
        bundle.putIntArray(KINDS, kept.map(::kind).toIntArray())
    }

    fun read(bundle: Bundle): List<Message> {
        val texts = bundle.getStringArray(TEXTS) ?: return emptyList()
        val kinds = bundle.getIntArray(KINDS) ?: return emptyList()
        return texts.zip(kinds.toTypedArray()).mapIndexed { id, (text, kind) -> message(id.toLong(), text, kind) }
    }

    // A reply that was under way will never end by itself when its process is gone.
    private fun kind(message: Message): Int = when {
        message !is Message.Reply -> QUESTION
        message.status is ReplyStatus.Complete -> REPLY
        else -> CUT_REPLY
    }

    private fun message(id: Long, text: String, kind: Int): Message = when (kind) {
        QUESTION -> Message.Question(id, text)
        REPLY -> Message.Reply(id, text, ReplyStatus.Complete(null))
        else -> Message.Reply(id, text, ReplyStatus.Stopped(null))
    }
}
