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
 * How much of a text is read as Markdown; what is beyond is shown as it was written.
 *
 * @param parts blocks, items and cells, each of which becomes a view or two.
 */
internal data class Limits(val characters: Int = 30_000, val parts: Int = 1_500)

/** Where a block of the whole text begins (the beginning of a line), and how many [Limits.parts] it has. */
internal data class Placed(val block: Block, val start: Int, val parts: Int)

/** Reads Markdown as models write it: CommonMark with GitHub's tables and strikethrough, but HTML is text. */
internal object Markdown {
    // Without blocks of HTML: a line of HTML then is a paragraph like any other.
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

    /** Whatever the text is, it is shown: what cannot be read as Markdown is one paragraph. */
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
            // The library goes into links within links by recursion.
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
