package io.pocketgemma.chat.storage

import io.pocketgemma.chat.text.singleLine
import io.pocketgemma.chat.text.truncated
import java.lang.Character.UnicodeScript
import java.text.Normalizer
import java.util.Locale

/**
 * The form of a text for searches: compatibility decomposition (Unicode Standard Annex 15, NFKD) without accents, in lower case, with each
 * run of spaces and line ends as one space. So "STRASSE" finds "Straße" and "ilik" finds "ILIK" and "ılık", in any language of the phone.
 */
internal class SearchText(private val source: String) {
    private var offsets = IntArray(source.length + 16)

    val text: String = buildString(source.length) {
        var offset = 0
        while (offset < source.length) {
            val point = source.codePointAt(offset)
            for (char in folded(point)) {
                if (char == ' ' && (isEmpty() || last() == ' ')) continue
                if (length == offsets.size) offsets = offsets.copyOf(2 * length)
                offsets[length] = offset
                append(char)
            }
            offset += Character.charCount(point)
        }
    }

    /** One line of the source around the first of [words], or from its beginning if it contains none of them. */
    fun around(words: List<String>): String {
        val phrase = text.indexOf(words.joinToString(" "))
        val found = if (phrase >= 0) phrase else words.map { text.indexOf(it) }.filter { it >= 0 }.minOrNull() ?: 0
        val offset = if (found < text.length) offsets[found] else 0
        val from = beginningBefore(offset)
        val cut = source.substring(from).truncated(SNIPPET)
        val line = cut.singleLine()
        return (if (from > 0) "…" else "") + line + (if (from + cut.length < source.length) "…" else "")
    }

    /** Some characters before [offset], at the start of a word if one is near. */
    private fun beginningBefore(offset: Int): Int {
        val earliest = offset - CONTEXT
        if (earliest <= 0) return 0
        val word = (earliest..earliest + CONTEXT / 2).firstOrNull { source[it - 1].isWhitespace() }
        return word ?: (earliest..offset).first { !source[it].isLowSurrogate() && source[it].category != CharCategory.NON_SPACING_MARK }
    }

    companion object {
        /** Maximum length of a line around a match, and of its part before the match; in UTF-16 characters. */
        const val SNIPPET = 160
        private const val CONTEXT = 40

        /** More words do not narrow a search in practice, and SQLite accepts 999 arguments. */
        private const val MAX_WORDS = 32

        fun fold(text: String): String = SearchText(text).text

        /** The words of a search, folded. */
        fun words(query: String): List<String> = fold(query).split(' ').filter { it.isNotEmpty() }.distinct().take(MAX_WORDS)

        private val ascii = Array(128) { point -> if (point <= ' '.code || point == 127) " " else point.toChar().lowercaseChar().toString() }

        private fun folded(point: Int): String {
            if (point < ascii.size) return ascii[point]
            if (Character.isWhitespace(point) || Character.isSpaceChar(point)) return " "
            val parts = Normalizer.normalize(String(Character.toChars(point)), Normalizer.Form.NFKD)
            // Upper case first: only that expands ß and merges the dotless ı with i.
            val upper = parts.points().filterNot(::isAccent).joinToString("") { String(Character.toChars(it)) }.uppercase(Locale.ROOT)
            return upper.points().joinToString("") { String(Character.toChars(Character.toLowerCase(it))) }
        }

        /**
         * Marks of any script that people leave out when they search, and marks that only select how an emoji looks. Vowel signs of Indic
         * scripts and the voicing marks of kana change the word, and stay.
         */
        private fun isAccent(point: Int): Boolean =
            Character.getType(point) == Character.NON_SPACING_MARK.toInt() &&
                UnicodeScript.of(point) == UnicodeScript.INHERITED && point !in 0x3099..0x309A

        private fun String.points(): List<Int> = buildList {
            var offset = 0
            while (offset < this@points.length) {
                val point = this@points.codePointAt(offset)
                add(point)
                offset += Character.charCount(point)
            }
        }
    }
}
