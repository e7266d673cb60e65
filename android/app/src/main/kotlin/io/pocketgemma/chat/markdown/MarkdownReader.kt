package io.pocketgemma.chat.markdown

/**
 * Parses a text repeatedly while it grows, each time only its end: a block cannot change once two others follow it.
 *
 * One instance per text; single-threaded.
 */
internal class MarkdownReader {
    // The final part: the text and its parsed blocks.
    private var settledText = ""
    private val settled = ArrayList<Placed>()

    /** [growing]: more text follows; unfinished syntax at the end is completed. */
    fun read(text: String, growing: Boolean): List<Block> {
        if (!growing || !text.startsWith(settledText)) {
            settledText = ""
            settled.clear()
        }
        if (!growing) return Markdown.read(text)
        val limits = Limits()
        val room = Limits(limits.characters - settledText.length, limits.parts - settled.sumOf { it.parts })
        val rest = Markdown.read(Unfinished.completed(text.substring(settledText.length)), room)
        val blocks = settled.map { it.block } + rest.map { it.block }
        if (rest.size > OPEN_BLOCKS) {
            val open = rest.size - OPEN_BLOCKS
            settled += rest.take(open)
            settledText = text.substring(0, settledText.length + rest[open].start)
        }
        return blocks
    }

    private companion object {
        /** The block in progress and the one before it, which an incomplete last line may still change. */
        const val OPEN_BLOCKS = 2
    }
}
