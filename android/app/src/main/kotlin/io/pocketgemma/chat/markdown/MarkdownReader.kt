package io.pocketgemma.chat.markdown

/**
 * Reads a text again and again while it grows, and each time only its end: a block cannot change any more once two others follow it.
 *
 * One text a reader; one thread.
 */
internal class MarkdownReader {
    // What will not change any more: the text and what was read of it.
    private var settledText = ""
    private val settled = ArrayList<Placed>()

    /** [growing]: more is to come; what is unfinished at the end is shown as what it is about to be. */
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
        /** The one that is being written, and the one before, into which a last line that is only half there may still turn. */
        const val OPEN_BLOCKS = 2
    }
}
