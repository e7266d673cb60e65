package io.pocketgemma.chat.conversation

import io.pocketgemma.chat.text.singleLine
import io.pocketgemma.chat.text.truncated

/** Maximum length of a conversation's title, in UTF-16 characters. */
const val MAX_TITLE_LENGTH = 120

private const val MAX_GENERATED_TITLE_LENGTH = 60

/** The beginning of a question as the title of its conversation: one line of at most [MAX_GENERATED_TITLE_LENGTH] characters, cut between words. */
fun titleOf(question: String): String {
    val line = question.singleLine()
    return if (line.length <= MAX_GENERATED_TITLE_LENGTH) line else shortened(line, MAX_GENERATED_TITLE_LENGTH - 1) + "…"
}

/** At most [length] characters: whole words if their length is ordinary, and never half of a surrogate pair. */
internal fun shortened(text: String, length: Int): String {
    if (text.length <= length) return text
    // A word that ends exactly at the limit is complete.
    val lastSpace = text.take(length + 1).indexOfLast { it.isWhitespace() }
    return text.truncated(if (lastSpace >= length / 2) lastSpace else length).trimEnd()
}
