package io.pocketgemma.chat.markdown

import org.commonmark.ext.gfm.tables.TableBlock
import org.commonmark.ext.gfm.tables.TableCell
import org.commonmark.ext.gfm.tables.TableRow
import org.commonmark.node.BlockQuote
import org.commonmark.node.BulletList
import org.commonmark.node.FencedCodeBlock
import org.commonmark.node.Heading
import org.commonmark.node.IndentedCodeBlock
import org.commonmark.node.Node
import org.commonmark.node.OrderedList
import org.commonmark.node.Paragraph
import org.commonmark.node.ThematicBreak

/** Converts a block of the library, and counts its parts. Recursive, at most as deep as [NestingLimit] allows. */
internal class BlockReader {
    var parts = 0
        private set

    /** Null for blocks that show nothing. */
    fun read(node: Node): Block? {
        parts++
        return when (node) {
            is Paragraph -> RichTextReader.read(node).takeIf { it.text.isNotBlank() }?.let(Block::Paragraph)
            is Heading -> Block.Heading(node.level, RichTextReader.read(node))
            is FencedCodeBlock -> Block.Code(node.info.orEmpty().trim().substringBefore(' '), node.literal.orEmpty().trimEnd('\n'))
            is IndentedCodeBlock -> Block.Code("", node.literal.orEmpty().trimEnd('\n'))
            is BulletList -> Block.BulletList(items(node), node.isTight)
            is OrderedList -> Block.NumberedList(items(node), node.markerStartNumber ?: 1, node.isTight)
            is BlockQuote -> Block.Quote(children(node))
            is TableBlock -> table(node)
            is ThematicBreak -> Block.Rule
            is DeepText -> Block.Paragraph(RichText(node.lines.joinToString("\n")))
            else -> null
        }
    }

    private fun children(node: Node): List<Block> = node.children().mapNotNull(::read).toList()

    private fun items(list: Node): List<List<Block>> = list.children().map { item ->
        parts++
        children(item)
    }.toList()

    private fun table(node: Node): Block {
        val rows = node.children().flatMap { it.children() }.filter { it is TableRow }.map { it.children().toList() }.toList()
        parts += rows.sumOf { it.size }
        val header = rows.first()
        val alignments = header.map {
            when ((it as TableCell).alignment) {
                TableCell.Alignment.CENTER -> Alignment.CENTER
                TableCell.Alignment.RIGHT -> Alignment.END
                else -> Alignment.START
            }
        }
        return Block.Table(header.map(RichTextReader::read), rows.drop(1).map { it.map(RichTextReader::read) }, alignments)
    }

    private fun Node.children(): Sequence<Node> = generateSequence(firstChild) { it.next }
}
