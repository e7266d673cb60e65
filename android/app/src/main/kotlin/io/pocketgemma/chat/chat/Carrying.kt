package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.shortened
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn

/** The texts that start a new conversation from an old one. The model reads them, so they are in the user's language. */
interface ChatWords {
    /** Asks for a summary of the conversation. */
    val summaryRequest: String

    /** Precedes the text that is carried over into the new conversation. */
    val carriedPreface: String

    /** A question and its reply, carried over verbatim. */
    fun turn(question: String, reply: String): String
}

/** Maximum length of a requested summary, in tokens, so that the new conversation has room. */
internal const val SUMMARY_TOKENS = 160

/** Maximum number of characters that are carried over into a new conversation, about 200 tokens. */
internal const val MOST_CARRIED = 800

/**
 * The start of the new conversation: the model's summary or, if it wrote none (it failed, or the reply is empty), as many of the last turns
 * of the old conversation as fit.
 */
internal fun carried(summary: String, end: ReplyEnd, turns: List<Turn>, words: ChatWords): String {
    val written = summary.trim()
    return if (written.isNotEmpty() && end is ReplyEnd.Complete) shortened(written, MOST_CARRIED) else lastTurns(turns, words)
}

/** The last turns that fit together; if not even the last one fits, its beginning. */
private fun lastTurns(turns: List<Turn>, words: ChatWords): String {
    val pairs = turns.chunked(2).filter { it.size == 2 && it[0].role == Role.USER }
    val texts = pairs.map { (question, reply) -> words.turn(question.text, reply.text) }
    var length = 0
    val fitting = texts.takeLastWhile { text ->
        length += text.length + 1
        length <= MOST_CARRIED + 1
    }
    return fitting.ifEmpty { texts.takeLast(1).map { shortened(it, MOST_CARRIED) } }.joinToString("\n")
}
