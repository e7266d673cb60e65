package io.pocketgemma.chat.markdown

/** The content of a Markdown text as data, independent of its presentation. */
sealed interface Block {
    data class Paragraph(val text: RichText) : Block

    /** [level] is 1 to 6. */
    data class Heading(val level: Int, val text: RichText) : Block

    /** [language] is the language that the text specifies, or empty. */
    data class Code(val language: String, val text: String) : Block

    /** [tight]: only line ends separate the items. */
    data class BulletList(val items: List<List<Block>>, val tight: Boolean) : Block

    /** [start] is the number of the first item. */
    data class NumberedList(val items: List<List<Block>>, val start: Int, val tight: Boolean) : Block

    data class Quote(val blocks: List<Block>) : Block

    /** Every row has as many cells as [header]. */
    data class Table(val header: List<RichText>, val rows: List<List<RichText>>, val alignments: List<Alignment>) : Block

    data object Rule : Block
}

enum class Alignment { START, CENTER, END }

/** Text, and the styles of its parts. */
data class RichText(val text: String, val marks: List<Mark> = emptyList())

/** The characters from [start] (inclusive) to [end] (exclusive). */
data class Mark(val start: Int, val end: Int, val look: Look)

enum class Look { BOLD, ITALIC, CODE, STRIKE, LINK }
