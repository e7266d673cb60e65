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
 * The text within a paragraph, heading, or cell. An image is shown as its description, and a link's address follows it, because nothing
 * here is downloaded or opened. Iterative, because a text can be nested as deep as it is long.
 */
internal class RichTextReader private constructor(private val parent: Node) {
    private val text = StringBuilder()
    private val marks = ArrayList<Mark>()

    // Start positions of the nodes that are being visited.
    private val starts = ArrayDeque<Int>()

    private fun read(): RichText {
        var node: Node = parent.firstChild ?: return RichText("")
        while (true) {
            enter(node)
            node = node.firstChild ?: following(node) ?: break
        }
        return RichText(text.toString(), if (marks.size > MAX_MARKS) emptyList() else marks)
    }

    /** Leaves a node without children, and all ancestors that end with it; null at the end. */
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
            // Keep the model's line breaks: a list of short lines stays a list.
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
        /** Layout time grows with the number of styles; no ordinary paragraph has this many. */
        private const val MAX_MARKS = 400

        fun read(parent: Node): RichText = RichTextReader(parent).read()
    }
}
