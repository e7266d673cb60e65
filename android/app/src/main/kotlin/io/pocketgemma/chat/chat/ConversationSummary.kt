package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.shortened
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn

/** The texts that start a new conversation from an old one. The model reads them, so they are in the user's language. */
interface SummaryPrompts {
    /** Asks for a summary of the conversation. */
    val summaryRequest: String

    /** Precedes the text that is carried over into the new conversation. */
    val summaryPreface: String

    /** A question and its reply, carried over verbatim. */
    fun turn(question: String, reply: String): String
}

/** Maximum length of a requested summary, in tokens, so that the new conversation has room. */
internal const val SUMMARY_TOKENS = 160

/** Maximum number of characters that are carried over into a new conversation, about 200 tokens. */
internal const val MAX_SUMMARY_LENGTH = 800

/**
 * The start of the new conversation: the model's summary or, if it wrote none (it failed, or the reply is empty), as many of the last turns
 * of the old conversation as fit.
 */
internal fun summaryOrLastTurns(summary: String, end: ReplyEnd, turns: List<Turn>, prompts: SummaryPrompts): String {
    val written = summary.trim()
    return if (written.isNotEmpty() && end is ReplyEnd.Complete) shortened(written, MAX_SUMMARY_LENGTH) else lastTurns(turns, prompts)
}

/** The last turns that fit together; if not even the last one fits, its beginning. */
private fun lastTurns(turns: List<Turn>, prompts: SummaryPrompts): String {
    val pairs = turns.chunked(2).filter { it.size == 2 && it[0].role == Role.USER }
    val texts = pairs.map { (question, reply) -> prompts.turn(question.text, reply.text) }
    var length = 0
    val fitting = texts.takeLastWhile { text ->
        length += text.length + 1
        length <= MAX_SUMMARY_LENGTH + 1
    }
    return fitting.ifEmpty { texts.takeLast(1).map { shortened(it, MAX_SUMMARY_LENGTH) } }.joinToString("\n")
}
