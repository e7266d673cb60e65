package io.pocketgemma.chat.text

/** At most [maxLength] UTF-16 characters from the beginning; never half of a surrogate pair. */
fun String.truncated(maxLength: Int): String = when {
    length <= maxLength -> this
    this[maxLength - 1].isHighSurrogate() -> substring(0, maxLength - 1)
    else -> substring(0, maxLength)
}

/** Replaces every run of spaces, line ends, and control characters with one space; none at the ends. */
fun String.singleLine(): String = replace(GAPS, " ").trim()

private val GAPS = Regex("""[\s\p{Z}\p{Cc}]+""")
