package io.pocketgemma.chat.markdown

import org.commonmark.ext.gfm.strikethrough.Strikethrough
import org.commonmark.node.Code
import org.commonmark.node.Emphasis
import org.commonmark.node.HardLineBreak
import org.commonmark.node.Image
import org.commonmark.node.Link
import org.commonmark.node.Node
import org.commonmark.node.SoftLineBreak
import org.commonmark.node.StrongEmphasis
import org.commonmark.node.Text

/**
 * The text within a paragraph, a heading or a cell. An image is its description, and a link's address stands behind it,
 * because nothing here is fetched or opened. Walks without recursion: a text can nest as deep as it is long.
 */
internal class RichTextReader private constructor(private val parent: Node) {
    private val text = StringBuilder()
    private val marks = ArrayList<Mark>()

    // Where the nodes that are being walked began.
    private val starts = ArrayDeque<Int>()

    private fun read(): RichText {
        var node: Node = parent.firstChild ?: return RichText("")
        while (true) {
            enter(node)
            node = node.firstChild ?: following(node) ?: break
        }
        return RichText(text.toString(), if (marks.size > MOST_MARKS) emptyList() else marks)
    }

    /** Leaves a node without children, and all that end with it; null at the end of it all. */
    private fun following(last: Node): Node? {
        var node = last
        leave(node)
        while (node.next == null) {
            node = node.parent
            if (node === parent) return null
            leave(node)
        }
        return node.next
    }

    private fun enter(node: Node) {
        starts.addLast(text.length)
        when (node) {
            is Text -> text.append(node.literal)
            is Code -> text.append(node.literal)
            // A new line that the model wrote is one that it meant: a list of short lines stays one.
            is SoftLineBreak, is HardLineBreak -> text.append('\n')
        }
    }

    private fun leave(node: Node) {
        val start = starts.removeLast()
        when (node) {
            is StrongEmphasis -> mark(start, Look.BOLD)
            is Emphasis -> mark(start, Look.ITALIC)
            is Strikethrough -> mark(start, Look.STRIKE)
            is Code -> mark(start, Look.CODE)
            is Image -> if (text.length == start) text.append(node.destination)
            is Link -> endLink(start, node.destination)
        }
    }

    private fun endLink(start: Int, address: String) {
        if (text.length == start) text.append(address)
        mark(start, Look.LINK)
        val label = text.substring(start)
        if (address.isNotEmpty() && address.removePrefix("mailto:") != label) text.append(" (").append(address).append(')')
    }

    private fun mark(start: Int, look: Look) {
        if (start < text.length) marks += Mark(start, text.length, look)
    }

    companion object {
        /** Laying out a text takes the longer the more marks it has; no honest paragraph has as many. */
        private const val MOST_MARKS = 400

        fun read(parent: Node): RichText = RichTextReader(parent).read()
    }
}
