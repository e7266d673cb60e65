package io.pocketgemma.chat.chat

import io.pocketgemma.chat.fake.ChatFixture.Words
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ConversationSummaryTest {
    private val whole = ReplyEnd.Complete(null)

    private fun turns(vararg said: Pair<String, String>): List<Turn> =
        said.flatMap { (question, reply) -> listOf(Turn(Role.USER, question), Turn(Role.MODEL, reply)) }

    @Test
    fun `the model's summary is carried, trimmed and within bounds`() {
        assertEquals("short", summaryOrLastTurns(" short\n", whole, turns("q" to "a"), Words))
        val long = summaryOrLastTurns("word ".repeat(500), whole, emptyList(), Words)
        assertTrue(long.length <= MAX_SUMMARY_LENGTH)
        assertTrue(long.endsWith("word"))
    }

    @Test
    fun `without a summary the last turns are carried as they were said`() {
        val said = turns("one" to "first", "two" to "second")
        val asSaid = "Q one A first\nQ two A second"
        assertEquals(asSaid, summaryOrLastTurns("  ", whole, said, Words))
        for (end in listOf(ReplyEnd.Failed("broken"), ReplyEnd.ContextFull, ReplyEnd.Stopped(null))) {
            assertEquals(asSaid, summaryOrLastTurns("half a summ", end, said, Words))
        }
    }

    @Test
    fun `only as many of the last turns as fit`() {
        val said = turns("old" to "x".repeat(MAX_SUMMARY_LENGTH - 20), "new" to "y".repeat(20))
        assertEquals("Q new A " + "y".repeat(20), summaryOrLastTurns("", whole, said, Words))
    }

    @Test
    fun `turns that fit exactly are all carried`() {
        val one = "Q a A b"
        val filler = MAX_SUMMARY_LENGTH - one.length - 1 - "Q  A ".length - 1
        assertEquals(MAX_SUMMARY_LENGTH, summaryOrLastTurns("", whole, turns("a" to "b", "c" to "d".repeat(filler)), Words).length)
        assertEquals(filler + 1 + "Q  A ".length + 1, summaryOrLastTurns("", whole, turns("a" to "b", "c" to "d".repeat(filler + 1)), Words).length)
    }

    @Test
    fun `of a last turn that is too long by itself, its beginning`() {
        val text = summaryOrLastTurns("", whole, turns("a" to "b", "long" to "z".repeat(5000)), Words)
        assertEquals(MAX_SUMMARY_LENGTH, text.length)
        assertTrue(text.startsWith("Q long A zzz"))
    }

    @Test
    fun `where nothing was answered, nothing is carried`() {
        assertEquals("", summaryOrLastTurns("", ReplyEnd.Failed("broken"), emptyList(), Words))
    }
}
