package io.pocketgemma.chat.markdown

import org.commonmark.node.Block
import org.commonmark.node.CustomBlock
import org.commonmark.node.Node
import org.commonmark.parser.SourceLine
import org.commonmark.parser.block.AbstractBlockParser
import org.commonmark.parser.block.BlockContinue
import org.commonmark.parser.block.BlockParserFactory
import org.commonmark.parser.block.BlockStart
import org.commonmark.parser.block.MatchedBlockParser
import org.commonmark.parser.block.ParserState

/** Shows quotes and lists that are nested too deep for a screen as plain text. */
internal class DeepText : CustomBlock() {
    val lines = ArrayList<String>()
}

/** Called before the parser's own block types; takes the rest of a line that is nested too deep as [DeepText]. */
internal object NestingLimit : BlockParserFactory {
    /** A list counts twice: once for itself, once for its item. */
    private const val DEEPEST = 12

    override fun tryStart(state: ParserState, matched: MatchedBlockParser): BlockStart? =
        if (!state.isBlank && isDeep(matched.matchedBlockParser.block)) BlockStart.of(DeepTextParser()).atIndex(state.index) else BlockStart.none()

    private fun isDeep(block: Node) = generateSequence(block) { it.parent }.drop(DEEPEST).any()

    private class DeepTextParser : AbstractBlockParser() {
        private val block = DeepText()

        override fun getBlock(): Block = block

        override fun tryContinue(state: ParserState): BlockContinue? = if (state.isBlank) BlockContinue.none() else BlockContinue.atIndex(state.index)

        override fun addLine(line: SourceLine) {
            block.lines += line.content.toString()
        }
    }
}
