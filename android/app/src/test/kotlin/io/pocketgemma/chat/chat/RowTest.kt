package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.fake.SampleChat
import io.pocketgemma.chat.fake.SampleChat.question
import io.pocketgemma.chat.fake.SampleChat.reply
import io.pocketgemma.chat.model.ModelProblem
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class RowTest {
    private val two = SampleChat.of(question(0, "a"), reply(1, "A"), question(2, "b"), reply(3, "B"))

    private fun questions(rows: List<Row>) = rows.filterIsInstance<Row.Question>()

    private fun replies(rows: List<Row>) = rows.filterIsInstance<Row.Reply>()

    @Test
    fun `only the last question can be edited and only the last reply regenerated`() {
        val rows = rowsOf(two, RowOptions())
        assertEquals(listOf(false, true), questions(rows).map { it.canEdit })
        assertEquals(listOf(false, true), replies(rows).map { it.canRegenerate })
    }

    @Test
    fun `nothing can be edited or regenerated while the model writes`() {
        val rows = rowsOf(SampleChat.of(question(0, "a"), reply(1, "A", ReplyStatus.Active())), RowOptions())
        assertFalse(questions(rows).single().canEdit || replies(rows).single().canRegenerate)
    }

    @Test
    fun `the model's name is shown only where it changes`() {
        fun who(vararg by: String?) =
            replies(rowsOf(SampleChat.of(*by.mapIndexed { index, name -> reply(index.toLong(), "x", by = name) }.toTypedArray()), RowOptions()))
                .map { it.newModelName }
        assertEquals(listOf(null, null, "B", null, "A"), who("A", "A", "B", "B", "A"))
        assertEquals("an unknown one says nothing", listOf(null, null, null, "B"), who("A", null, "A", "B"))
    }

    @Test
    fun `statistics are shown for all replies if set, otherwise where they were opened`() {
        assertEquals(listOf(false, false), replies(rowsOf(two, RowOptions())).map { it.showsMetrics })
        assertEquals(listOf(false, true), replies(rowsOf(two, RowOptions(metricsOf = setOf(3)))).map { it.showsMetrics })
        assertEquals(listOf(true, true), replies(rowsOf(two, RowOptions(showsAllMetrics = true))).map { it.showsMetrics })
    }

    @Test
    fun `a full context offers the way on only at the end, and not while a summary is written`() {
        val full = two.copy(messages = two.messages + question(4, "c") + reply(5, "", ReplyStatus.ContextFull))
        val row = replies(rowsOf(full, RowOptions())).last()
        assertTrue(row.offersNewChat)
        assertEquals(TooLong.CHAT, row.tooLong)
        assertFalse("asking the same again would not fit either", row.canRegenerate)
        assertFalse(replies(rowsOf(full.copy(summaryFor = 9), RowOptions())).last().offersNewChat)
        assertEquals(Row.Summarising, rowsOf(full.copy(summaryFor = 9), RowOptions()).last())
        val later = full.copy(messages = full.messages + question(6, "d") + reply(7, "D"))
        assertTrue(replies(rowsOf(later, RowOptions())).none { it.offersNewChat })
    }

    @Test
    fun `a carried summary stands first and a problem last`() {
        val rows = rowsOf(two.copy(summary = "gold"), RowOptions(summaryIsOpen = true, problem = Row.Problem(ModelProblem.Damaged)))
        assertEquals(Row.Summary("gold", isOpen = true), rows.first())
        assertEquals(Row.Problem(ModelProblem.Damaged), rows.last())
        assertTrue(replies(rows).last().isExplainedBelow)
        assertEquals("every row has a key of its own", rows.size, rows.map { it.key }.toSet().size)
    }

    @Test
    fun `a row that has not changed is equal, so that its view is left alone`() {
        val before = rowsOf(two, RowOptions())
        val grown = two.copy(messages = two.messages.dropLast(1) + reply(3, "B and more"))
        val after = rowsOf(grown, RowOptions())
        assertEquals(before.dropLast(1), after.dropLast(1))
        assertNotEquals(before.last(), after.last())
    }

    @Test
    fun `a question too long by itself has no way on, wherever it is asked`() {
        fun last(chat: ChatState, options: RowOptions = RowOptions()) = replies(rowsOf(chat, options)).last().let { it.tooLong to it.offersNewChat }
        val tooMuch = question(4, "c") to reply(5, "", ReplyStatus.ContextFull)
        val alone = SampleChat.of(tooMuch.first, tooMuch.second)
        assertEquals(TooLong.QUESTION to false, last(alone))
        val unanswered = SampleChat.of(question(0, "a"), reply(1, "", ReplyStatus.ContextFull), tooMuch.first, tooMuch.second)
        assertEquals("nothing of an unanswered question is sent", TooLong.QUESTION to false, last(unanswered))
        assertEquals(TooLong.QUESTION_AND_INSTRUCTION to false, last(alone, RowOptions(hasInstruction = true)))
        val after = two.copy(messages = two.messages + tooMuch.first + tooMuch.second)
        assertEquals(TooLong.CHAT to true, last(after, RowOptions(hasInstruction = true)))
        assertEquals("the model knows single questions only", TooLong.QUESTION to false, last(after, RowOptions(remembersChat = false)))
        assertEquals(TooLong.CHAT to true, last(alone.copy(summary = "gold"), RowOptions(remembersChat = false)))
        val begun = SampleChat.of(tooMuch.first, reply(5, "So", ReplyStatus.ContextFull))
        assertEquals("its question did fit", TooLong.CHAT to false, last(begun))
        assertEquals(null to false, last(two))
    }
}
