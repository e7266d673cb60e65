package io.pocketgemma.chat.markdown

import org.commonmark.ext.gfm.strikethrough.StrikethroughExtension
import org.commonmark.ext.gfm.tables.TablesExtension
import org.commonmark.node.BlockQuote
import org.commonmark.node.FencedCodeBlock
import org.commonmark.node.Heading
import org.commonmark.node.IndentedCodeBlock
import org.commonmark.node.ListBlock
import org.commonmark.node.Node
import org.commonmark.node.ThematicBreak
import org.commonmark.parser.IncludeSourceSpans
import org.commonmark.parser.Parser

/**
 * How much of a text is parsed as Markdown; the rest is shown as plain text.
 *
 * @param parts blocks, items, and cells, each of which becomes one or two views.
 */
internal data class Limits(val characters: Int = 30_000, val parts: Int = 1_500)

/** Start of a block of the whole text (the start of a line), and the number of its [Limits.parts]. */
internal data class Placed(val block: Block, val start: Int, val parts: Int)

/** Parses Markdown as models write it: CommonMark with GitHub's tables and strikethrough, with HTML as plain text. */
internal object Markdown {
    // Without HTML blocks: a line of HTML is a normal paragraph.
    private val blocks =
        setOf(Heading::class.java, ThematicBreak::class.java, FencedCodeBlock::class.java, IndentedCodeBlock::class.java) +
            setOf(BlockQuote::class.java, ListBlock::class.java)

    private val parser: Parser by lazy {
        Parser.builder()
            .enabledBlockTypes(blocks)
            .extensions(listOf(TablesExtension.create(), StrikethroughExtension.create()))
            .customBlockParserFactory(NestingLimit)
            .customInlineContentParserFactory(HtmlAsText)
            .includeSourceSpans(IncludeSourceSpans.BLOCKS)
            .build()
    }

    fun read(text: String): List<Block> = read(text, Limits()).map { it.block }

    /** Every text is shown: text that cannot be parsed as Markdown becomes one paragraph. */
    fun read(text: String, limits: Limits): List<Placed> {
        val end = if (text.length <= limits.characters) text.length else lineStart(text, limits.characters.coerceAtLeast(0))
        val read = try {
            readAll(text.substring(0, end))
        } catch (_: RuntimeException) {
            return plain(text, 0)
        } catch (_: LinkageError) {
            // The library's table of character names is not in the APK.
            return plain(text, 0)
        } catch (_: StackOverflowError) {
            // The library parses nested links recursively.
            return plain(text, 0)
        }
        var parts = 0
        val fitting = read.takeWhile { placed -> (parts + placed.parts <= limits.parts).also { parts += placed.parts } }
        val plainFrom = read.getOrNull(fitting.size)?.start ?: end
        return fitting + plain(text, plainFrom)
    }

    private fun readAll(text: String): List<Placed> {
        val document: Node = parser.parse(text)
        return generateSequence(document.firstChild) { it.next }.mapNotNull { node ->
            val reader = BlockReader()
            reader.read(node)?.let { Placed(it, lineStart(text, node.sourceSpans.first().inputIndex), reader.parts) }
        }.toList()
    }

    private fun plain(text: String, start: Int): List<Placed> {
        val rest = text.substring(start)
        return if (rest.isBlank()) emptyList() else listOf(Placed(Block.Paragraph(RichText(rest.trim('\n', '\r'))), start, 1))
    }

    private fun lineStart(text: String, place: Int): Int = text.lastIndexOfAny(charArrayOf('\n', '\r'), place - 1) + 1
}
