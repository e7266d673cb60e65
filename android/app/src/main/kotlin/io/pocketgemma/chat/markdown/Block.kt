package io.pocketgemma.chat.markdown

/** What a text in Markdown consists of, as data: what is shown, without a word about how. */
sealed interface Block {
    data class Paragraph(val text: RichText) : Block

    /** [level] is 1 to 6. */
    data class Heading(val level: Int, val text: RichText) : Block

    /** [language] is what the text names, empty when it names none. */
    data class Code(val language: String, val text: String) : Block

    /** [tight]: nothing stands between the items but the end of a line. */
    data class BulletList(val items: List<List<Block>>, val tight: Boolean) : Block

    /** [start] is the number of the first item. */
    data class NumberedList(val items: List<List<Block>>, val start: Int, val tight: Boolean) : Block

    data class Quote(val blocks: List<Block>) : Block

    /** Every row has as many cells as [header]. */
    data class Table(val header: List<RichText>, val rows: List<List<RichText>>, val alignments: List<Alignment>) : Block

    data object Rule : Block
}

enum class Alignment { START, CENTER, END }

/** Text and how parts of it look. */
data class RichText(val text: String, val marks: List<Mark> = emptyList())

/** The characters from [start] up to [end], which is not one of them. */
data class Mark(val start: Int, val end: Int, val look: Look)

enum class Look { BOLD, ITALIC, CODE, STRIKE, LINK }
