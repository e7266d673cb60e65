package io.pocketgemma.chat.conversation

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class TitleTest {
    @Test
    fun `a short question is its own title, on one line`() {
        assertEquals("What is Fe?", titleOf("  What\n\n is\tFe? "))
        assertEquals("x".repeat(60), titleOf("x".repeat(60)))
    }

    @Test
    fun `a long one is cut between words`() {
        val title = titleOf("Which element has the symbol Fe and who was the first to find it in a stone from the sky?")
        assertEquals("Which element has the symbol Fe and who was the first to…", title)
    }

    @Test
    fun `a word that ends at the limit stays whole`() {
        val words = "a".repeat(30) + " " + "b".repeat(28)
        assertEquals("$words…", titleOf("$words and more"))
    }

    @Test
    fun `what has no words is cut where it must be, but not within a character`() {
        assertEquals("x".repeat(59) + "…", titleOf("x".repeat(100)))
        val title = titleOf("x" + "😀".repeat(50))
        assertTrue(title.length <= 60)
        assertEquals("x" + "😀".repeat(29) + "…", title)
    }
}
