package io.pocketgemma.chat.markdown

import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

/** A text that is parsed while it is being generated. */
class GrowingMarkdownTest {
    private fun growing(text: String): List<Block> = MarkdownReader().read(text, growing = true)

    private fun shown(text: String): RichText = (growing(text).last() as Block.Paragraph).text

    @Test
    fun `read piece by piece, a text is what it is when read at once, at every length`() {
        for (step in 1..7) {
            val reader = MarkdownReader()
            for (length in 0..Sample.text.length step step) {
                val text = Sample.text.take(length)
                assertEquals("$text|", growing(text), reader.read(text, growing = true))
            }
        }
    }

    @Test
    fun `when the last word is written, the text is what it is`() {
        val reader = MarkdownReader()
        for (length in 0..Sample.text.length) reader.read(Sample.text.take(length), growing = true)
        assertEquals(Markdown.read(Sample.text), reader.read(Sample.text, growing = false))
        assertEquals(11, Markdown.read(Sample.text).size)
    }

    @Test
    fun `blocks that are written are not read again`() {
        val reader = MarkdownReader()
        val before = reader.read("one\n\ntwo\n\nthree\n\nfour", growing = true)
        val after = reader.read("one\n\ntwo\n\nthree\n\nfour and more", growing = true)
        assertSame(before[0], after[0])
        assertSame(before[1], after[1])
    }

    @Test
    fun `another text is read from its beginning`() {
        val reader = MarkdownReader()
        reader.read("one\n\ntwo\n\nthree\n\nfour", growing = true)
        assertEquals(growing("another\n\ntext"), reader.read("another\n\ntext", growing = true))
    }

    @Test
    fun `code without its end is code already, and half an end is not shown`() {
        assertEquals(listOf(Block.Code("py", "x = 1")), growing("```py\nx = 1"))
        assertEquals(listOf(Block.Code("py", "x = 1")), growing("```py\nx = 1\n``"))
        assertEquals(listOf(Block.Code("py", "x = 1")), growing("```py\nx = 1\n```"))
        assertEquals(emptyList<Block>(), growing("``"))
    }

    @Test
    fun `a table is one from its first line on`() {
        val text = "| Metal | Symbol |\n|:---|---:|\n| Iron | Fe |"
        for (length in 3..text.length) {
            val block = growing(text.take(length)).last()
            assertTrue("${text.take(length)} is $block", block is Block.Table)
        }
        val whole = growing(text).single() as Block.Table
        assertEquals(listOf(Alignment.START, Alignment.END), whole.alignments)
    }

    @Test
    fun `bold, italic and code look so before they end`() {
        assertEquals(RichText("a word", listOf(Mark(2, 6, Look.BOLD))), shown("a **word"))
        assertEquals(RichText("a word", listOf(Mark(2, 6, Look.BOLD))), shown("a **word*"))
        assertEquals(RichText("a word", listOf(Mark(2, 6, Look.BOLD))), shown("a **word**"))
        assertEquals(RichText("a word", listOf(Mark(2, 6, Look.ITALIC))), shown("a *word"))
        assertEquals(RichText("a word", listOf(Mark(2, 6, Look.CODE))), shown("a `word"))
        assertEquals("a", shown("a **").text.trim())
    }

    @Test
    fun `what only looks like a mark stays as it is`() {
        assertEquals("2 * 3", shown("2 * 3").text)
        assertEquals("2*3", shown("2*3").text)
        assertEquals("a `**` b", shown("a ``` `**` ``` b").text)
    }

    @Test
    fun `a line that begins a list does not make a heading of the line before`() {
        assertEquals(listOf(Block.Paragraph(RichText("Steps:"))), growing("Steps:\n-"))
        assertEquals(listOf(Block.Paragraph(RichText("text"))), growing("text\n#"))
    }
}
