package io.pocketgemma.chat.conversation

import io.pocketgemma.chat.text.beginning
import io.pocketgemma.chat.text.oneLine

/** Maximum length of a conversation's title, in UTF-16 characters. */
const val MOST_TITLE = 120

private const val LONGEST_TITLE = 60

/** The beginning of a question as the title of its conversation: one line of at most [LONGEST_TITLE] characters, cut between words. */
fun titleOf(question: String): String {
    val line = question.oneLine()
    return if (line.length <= LONGEST_TITLE) line else shortened(line, LONGEST_TITLE - 1) + "…"
}

/** At most [length] characters: whole words if their length is ordinary, and never half of a surrogate pair. */
internal fun shortened(text: String, length: Int): String {
    if (text.length <= length) return text
    // A word that ends exactly at the limit is complete.
    val lastSpace = text.take(length + 1).indexOfLast { it.isWhitespace() }
    return text.beginning(if (lastSpace >= length / 2) lastSpace else length).trimEnd()
}
