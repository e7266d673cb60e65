package io.pocketgemma.chat.markdown

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class MarkdownTest {
    private fun only(text: String): Block = Markdown.read(text).single()

    private fun paragraph(text: String): RichText = (only(text) as Block.Paragraph).text

    private fun plain(text: String) = Block.Paragraph(RichText(text))

    private fun marked(text: String): List<Pair<Look, String>> =
        paragraph(text).let { rich -> rich.marks.map { it.look to rich.text.substring(it.start, it.end) } }

    @Test
    fun `bold, italic, code and struck words are marked, within each other too`() {
        assertEquals("a bold b italic c code d gone", paragraph("a **bold** b *italic* c `code` d ~~gone~~").text)
        assertEquals(
            listOf(Look.BOLD to "bold", Look.ITALIC to "italic", Look.CODE to "code", Look.STRIKE to "gone"),
            marked("a **bold** b *italic* c `code` d ~~gone~~"),
        )
        assertEquals(listOf(Look.ITALIC to "in", Look.BOLD to "out in out"), marked("**out *in* out**"))
        assertEquals("2 * 3 * 4", paragraph("2 * 3 * 4").text)
    }

    @Test
    fun `a line of its own stays one`() = assertEquals("a\nb\nc", paragraph("a\nb  \nc").text)

    @Test
    fun `headings have their level`() {
        assertEquals(Block.Heading(3, RichText("Three")), only("### Three"))
        assertEquals(Block.Heading(1, RichText("One")), only("One\n==="))
    }

    @Test
    fun `code keeps its lines and names its language`() {
        assertEquals(Block.Code("python", "def f():\n    return 1"), only("```python title=x\ndef f():\n    return 1\n```"))
        assertEquals(Block.Code("", "*x*"), only("~~~\n*x*\n~~~"))
        assertEquals(Block.Code("", "by four"), only("    by four"))
    }

    @Test
    fun `lists nest, and numbers begin where the text says`() {
        val list = only("3. a\n   - b\n   - c\n4. d") as Block.NumberedList
        assertEquals(3, list.start)
        assertTrue(list.tight)
        assertEquals(listOf(plain("a"), Block.BulletList(listOf(listOf(plain("b")), listOf(plain("c"))), tight = true)), list.items[0])
        assertFalse((only("- a\n\n- b") as Block.BulletList).tight)
    }

    @Test
    fun `a table has rows of equal length and its columns' alignment`() {
        val table = only("| A | B | C |\n|---|:-:|--:|\n| 1 | **2** |\n| x | y | z | too many |") as Block.Table
        assertEquals(listOf("A", "B", "C"), table.header.map { it.text })
        assertEquals(listOf(listOf("1", "2", ""), listOf("x", "y", "z")), table.rows.map { row -> row.map { it.text } })
        assertEquals(listOf(Alignment.START, Alignment.CENTER, Alignment.END), table.alignments)
        assertEquals(listOf(Mark(0, 1, Look.BOLD)), table.rows[0][1].marks)
    }

    @Test
    fun `quotes hold blocks`() =
        assertEquals(Block.Quote(listOf(plain("a"), Block.Code("", "b"))), only("> a\n>\n> ```\n> b\n> ```"))

    @Test
    fun `HTML is shown as it was written`() {
        assertEquals("<script>alert(1)</script> & x", paragraph("<script>alert(1)</script> &amp; x").text)
        assertEquals("<div>\nbold\n</div>", paragraph("<div>\n**bold**\n</div>").text)
    }

    @Test
    fun `a link shows where it leads, and is nothing to be opened`() {
        assertEquals("label (https://a.b)", paragraph("[label](https://a.b)").text)
        assertEquals(listOf(Look.LINK to "label"), marked("[label](https://a.b)"))
        assertEquals("https://a.b", paragraph("<https://a.b>").text)
        assertEquals("me@a.b", paragraph("<me@a.b>").text)
        assertEquals("click (javascript:alert(1))", paragraph("[click](javascript:alert(1))").text)
        assertEquals("label", paragraph("[label]()").text)
    }

    @Test
    fun `an image is its description, or its address`() {
        assertEquals("a cat", paragraph("![a *cat*](cat.png)").text)
        assertEquals("cat.png", paragraph("![](cat.png)").text)
    }

    @Test
    fun `what is spoken has the words and not the marks`() = assertEquals(
        "Title\na bold word\none\ntwo\n2. first\nsecond part\nA, B\n1, 2\nquoted\ncode",
        spokenText(
            "# Title\na **bold** word\n\n- one\n- two\n\n2. first\n\n   second part\n\n|A|B|\n|-|-|\n|1|2|\n\n> quoted\n\n---\n\n```\ncode\n```",
        ),
    )

    @Test
    fun `nothing and blanks are no blocks`() = listOf("", " ", "\n\n \n", "[a]: b").forEach {
        assertEquals(it, emptyList<Block>(), Markdown.read(it))
    }
}
