package io.pocketgemma.chat.text

/** At most [most] UTF-16 characters from the beginning; never half of a surrogate pair. */
fun String.beginning(most: Int): String = when {
    length <= most -> this
    this[most - 1].isHighSurrogate() -> substring(0, most - 1)
    else -> substring(0, most)
}

/** Replaces every run of spaces, line ends, and control characters with one space; none at the ends. */
fun String.oneLine(): String = replace(GAPS, " ").trim()

private val GAPS = Regex("""[\s\p{Z}\p{Cc}]+""")
