package io.pocketgemma.chat.markdown

import java.io.InputStream
import java.net.URL
import java.net.URLClassLoader
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Texts made to break a parser: each must be parsed with a small stack, in time, into few views, and no word may be lost. */
class HostileMarkdownTest {
    private fun depth(blocks: List<Block>): Int = blocks.maxOfOrNull { block ->
        1 + when (block) {
            is Block.Quote -> depth(block.blocks)
            is Block.BulletList -> block.items.maxOf(::depth)
            is Block.NumberedList -> block.items.maxOf(::depth)
            else -> 0
        }
    } ?: 0

    private fun parts(blocks: List<Block>): Int = blocks.sumOf { block ->
        1 + when (block) {
            is Block.Quote -> parts(block.blocks)
            is Block.BulletList -> block.items.sumOf(::parts)
            is Block.NumberedList -> block.items.sumOf(::parts)
            is Block.Table -> (block.rows.size + 1) * block.header.size
            else -> 0
        }
    }

    private fun texts(blocks: List<Block>): List<RichText> = blocks.flatMap { block ->
        when (block) {
            is Block.Paragraph -> listOf(block.text)
            is Block.Heading -> listOf(block.text)
            is Block.Code -> listOf(RichText(block.text))
            is Block.Quote -> texts(block.blocks)
            is Block.BulletList -> block.items.flatMap(::texts)
            is Block.NumberedList -> block.items.flatMap(::texts)
            is Block.Table -> block.header + block.rows.flatten()
            Block.Rule -> emptyList()
        }
    }

    /** As much of it as is parsed as Markdown. */
    private fun full(piece: String) = piece.repeat(29_000 / piece.length) + "end"

    private fun pair(open: String, close: String) = (14_000 / maxOf(open.length, close.length)).let { open.repeat(it) + close.repeat(it) } + "end"

    private val hostile = mapOf(
        "quotes" to full(">"),
        "more quotes than are read" to ">".repeat(100_000) + "end",
        "quotes on many lines" to (">".repeat(900) + "\n").repeat(30) + "end",
        "open brackets" to full("["),
        "more brackets than are read" to "[".repeat(100_000) + "end",
        "brackets" to pair("[", "]"),
        "links" to full("[a]("),
        "links in links" to pair("[", "](x)"),
        "images in images" to pair("![", "](x)"),
        "list marks on a line" to full("- "),
        "numbers on a line" to full("1. "),
        "a list of lists" to (0 until 160).joinToString("\n") { "  ".repeat(it) + "- $it" } + "\n\nend",
        "emphasis" to full("*a "),
        "emphasis in emphasis" to pair("*a ", " a*"),
        "emphasis of two kinds" to pair("*a_b ", " b_a*"),
        "bold in italic" to full("*a **b "),
        "underlines" to full("_a_"),
        "struck" to full("~~a"),
        "fences" to full("```\n"),
        "backticks" to (1..230).joinToString(" ") { "`".repeat(it) } + "end",
        "tags" to full("<a "),
        "less than" to full("<"),
        "addresses" to full("<a:"),
        "comments" to full("<!--"),
        "instructions" to full("<?"),
        "characters by number" to full("&#"),
        "characters by name" to full("&amp"),
        "a table of many columns" to "|a".repeat(5_000) + "|\n" + "|-".repeat(5_000) + "|\n\nend",
        "a table of many rows" to "|a|b|\n|-|-|\n" + "|c|d|\n".repeat(4_000) + "\nend",
        "items" to full("-\n"),
        "rules" to full("---\n\n"),
        "dashes" to "| a |\n" + "-".repeat(29_000) + "end",
        "definitions" to "[a]: b\n".repeat(4_000) + "\nend",
        "a long definition" to "[" + "a\n".repeat(14_000) + "end",
        "backslashes" to "\\".repeat(28_001) + "end",
        "lines" to full("\n"),
        "control characters" to full("\u0000\uFFFD\uD800\u202E"),
    )

    // A quarter of the main thread's stack on a phone; parsing that needs more would not run here either.
    private fun inSmallStack(task: () -> Unit) {
        var failure: Throwable? = null
        val thread = Thread(null, { runCatching(task).onFailure { failure = it } }, "small", 256 * 1024)
        thread.start()
        thread.join(60_000)
        check(!thread.isAlive) { "not done in a minute; at ${thread.stackTrace.firstOrNull()}" }
        failure?.let { throw it }
    }

    private fun assertHarmless(name: String, blocks: List<Block>) {
        assertTrue("$name: ${depth(blocks)} deep", depth(blocks) <= 14)
        assertTrue("$name: ${parts(blocks)} parts", parts(blocks) <= 1_510)
        val texts = texts(blocks)
        assertTrue("$name: too many marks", texts.all { it.marks.size <= 400 })
        assertTrue("$name: its end is lost", texts.last().text.trimEnd('`', '*', '~').endsWith("end"))
    }

    @Test
    fun `no text breaks the reader`() = inSmallStack {
        for ((name, text) in hostile) assertHarmless(name, Markdown.read(text))
    }

    @Test
    fun `no text breaks the reader while it is written`() = inSmallStack {
        for ((name, text) in hostile) assertHarmless(name, MarkdownReader().read(text, growing = true))
    }

    @Test
    fun `nothing of a text beyond what is read as Markdown is lost`() {
        val blocks = Markdown.read("**bold**\n\n".repeat(20_000))
        assertEquals(20_000, texts(blocks).sumOf { it.text.split("bold").size - 1 })
        assertTrue(blocks.size <= 1_501)
    }

    /** Finds all but the library's table of character names. */
    private class WithoutTable(urls: Array<URL>) : URLClassLoader(urls, getPlatformClassLoader()) {
        override fun getResource(name: String): URL? = if (name.endsWith("entities.txt")) null else super.getResource(name)

        override fun getResourceAsStream(name: String): InputStream? = getResource(name)?.openStream()
    }

    @Test
    fun `without the library's table of character names a text is shown as it was written`() {
        val urls = System.getProperty("java.class.path").split(java.io.File.pathSeparator).map { java.io.File(it).toURI().toURL() }
        WithoutTable(urls.toTypedArray()).use { loader ->
            val spoken = loader.loadClass("io.pocketgemma.chat.markdown.SpokenTextKt").getMethod("spokenText", String::class.java)
            assertEquals("bold", spoken.invoke(null, "**bold**"))
            repeat(2) { assertEquals("**bold** &amp;", spoken.invoke(null, "**bold** &amp;")) }
        }
    }
}
