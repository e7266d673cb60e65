package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.shortened
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn

/** The words with which a new conversation goes on from an old one. The model reads them, so they are in the person's language. */
interface ChatWords {
    /** Asks for a summary of what was said. */
    val summaryRequest: String

    /** Comes before what is carried into the new conversation. */
    val carriedPreface: String

    /** A question and its reply, carried as they were said. */
    fun turn(question: String, reply: String): String
}

/** Longest summary that is asked for, in tokens: the new conversation shall have room. */
internal const val SUMMARY_TOKENS = 160

/** Most characters that are carried into a new conversation, some 200 tokens. */
internal const val MOST_CARRIED = 800

/**
 * What the new conversation begins with: the model's summary, or, when it wrote none (it failed, or has nothing to say), the last turns of
 * the old one, as many as fit.
 */
internal fun carried(summary: String, end: ReplyEnd, turns: List<Turn>, words: ChatWords): String {
    val written = summary.trim()
    return if (written.isNotEmpty() && end is ReplyEnd.Complete) shortened(written, MOST_CARRIED) else lastTurns(turns, words)
}

/** The last turns that fit together; of a single one that is too long, its beginning. */
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
