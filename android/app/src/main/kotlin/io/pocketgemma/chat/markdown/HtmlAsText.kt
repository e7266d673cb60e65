package io.pocketgemma.chat.markdown

import org.commonmark.node.Text
import org.commonmark.parser.beta.InlineContentParser
import org.commonmark.parser.beta.InlineContentParserFactory
import org.commonmark.parser.beta.InlineParserState
import org.commonmark.parser.beta.ParsedInline
import org.commonmark.parser.beta.Scanner

/**
 * Treats `<` as a plain character, unless an autolink follows. Otherwise, the library would search for the end of an HTML tag or comment
 * from each `<` to the end of the text.
 */
internal object HtmlAsText : InlineContentParserFactory, InlineContentParser {
    private const val MAX_ADDRESS = 500

    override fun getTriggerCharacters(): Set<Char> = setOf('<')

    override fun create(): InlineContentParser = this

    override fun tryParse(state: InlineParserState): ParsedInline? {
        val scanner = state.scanner()
        scanner.next()
        val behind = scanner.position()
        if (isAddress(scanner)) return ParsedInline.none()
        return ParsedInline.of(Text("<"), behind)
    }

    private fun isAddress(scanner: Scanner): Boolean {
        var telling = false
        repeat(MAX_ADDRESS) {
            when (scanner.peek()) {
                '>' -> return telling
                Scanner.END, '<', ' ', '\n' -> return false
                ':', '@' -> telling = true
                else -> Unit
            }
            scanner.next()
        }
        return false
    }
}
