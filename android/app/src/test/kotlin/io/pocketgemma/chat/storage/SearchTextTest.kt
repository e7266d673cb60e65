package io.pocketgemma.chat.storage

import java.util.Locale
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class SearchTextTest {
    private fun finds(query: String, text: String): Boolean = SearchText.fold(text).let { folded -> SearchText.words(query).all { it in folded } }

    private fun assertSame(one: String, other: String) = assertEquals(SearchText.fold(one), SearchText.fold(other))

    @Test
    fun `case and accents make no difference in any script`() {
        assertSame("ÄRGER mit Öl und Übermut", "arger MIT ol UND ubermut")
        assertSame("Straße", "STRASSE")
        assertSame("é", "e\u0301")
        assertSame("ΟΔΥΣΣΕΎΣ", "οδυσσευς")
        assertSame("ЙОД", "иод")
        assertSame("ﬁsh ½ Ⅻ ＡＢＣ", "fish 1⁄2 xii abc")
        assertSame("𐐀", "𐐨")
        assertSame("مُحَمَّد", "محمد")
    }

    @Test
    fun `the four letters i of Turkish are one, whatever the phone's language`() {
        val before = Locale.getDefault()
        try {
            for (language in listOf("tr", "en")) {
                Locale.setDefault(Locale.forLanguageTag(language))
                for (i in listOf("ILIK", "ılık", "İLİK", "ilik")) assertEquals(language, "ilik", SearchText.fold(i))
            }
        } finally {
            Locale.setDefault(before)
        }
    }

    @Test
    fun `marks that make another word stay`() {
        assertTrue(SearchText.fold("か") != SearchText.fold("が"))
        assertTrue(SearchText.fold("कि") != SearchText.fold("का"))
        assertTrue(SearchText.fold("ไทย") != SearchText.fold("ทย"))
    }

    @Test
    fun `emoji are found, whatever chooses how they look`() {
        assertTrue(finds("❤", "I ❤\uFE0F you"))
        assertTrue(finds("❤\uFE0F", "I ❤ you"))
        assertTrue(finds("😀", "well 😀"))
        assertTrue(!finds("😀", "well 😁"))
    }

    @Test
    fun `every word is looked for, with any space between them`() {
        assertEquals(listOf("symbol", "gold"), SearchText.words("  Symbol \n\t\u00A0 GOLD symbol "))
        assertEquals("a b c", SearchText.fold("a \n\n b\u2003c"))
        assertTrue(finds("gold symbol", "The symbol of\ngold"))
        assertEquals(emptyList<String>(), SearchText.words(" \n"))
        assertEquals(emptyList<String>(), SearchText.words("\u0301"))
        assertEquals(32, SearchText.words((1..5000).joinToString(" ")).size)
    }

    @Test
    fun `what was found is shown on one line with some words before it`() {
        val text = "A first line that goes on and on.\nThen, much later in the text, the **größte** word of all\nand an end."
        assertEquals("…on. Then, much later in the text, the **größte** word of all and an end.", SearchText(text).around(listOf("grosste")))
        assertEquals("A first line that goes on and on. Then, much later in the text, the **größte** word of all and an end.", SearchText(text).around(listOf("first")))
        assertEquals("…much later in the text, the **größte** word of all and an end.", SearchText(text).around(listOf("word", "all")))
    }

    @Test
    fun `a long line is cut on both sides, never within a character`() {
        val shown = SearchText("😀".repeat(300) + "x" + "😀".repeat(300)).around(listOf("x"))
        assertEquals("…" + "😀".repeat(20) + "x" + "😀".repeat(59) + "…", shown)
        assertEquals("", SearchText("").around(listOf("x")))
    }

    @Test
    fun `the place is right when folding makes the text longer or shorter`() {
        val longer = SearchText("ﷺ".repeat(10) + " here")
        assertTrue(longer.text.length > 150)
        assertEquals("ﷺ".repeat(10) + " here", longer.around(listOf("here")))
        val shorter = SearchText("e\u0301".repeat(100) + " here")
        assertEquals("…" + "e\u0301".repeat(19) + " here", shorter.around(listOf("here")))
    }
}
