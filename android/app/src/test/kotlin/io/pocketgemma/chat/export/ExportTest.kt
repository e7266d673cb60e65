package io.pocketgemma.chat.export

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import org.junit.Assert.assertEquals
import org.junit.Test

class ExportTest {
    private val words = ExportLabels("Chat", "You", "Reply", "Summary", "Stopped", "No reply")
    private val conversation = Conversation(
        id = 7,
        title = "What is *Fe*?",
        messages = listOf(
            Message.Question(0, "What is Fe?"),
            Message.Reply(1, "**Iron**.\n\n- a metal\n", ReplyStatus.Complete(null), answeredBy = "Pocket_Science"),
            Message.Question(2, "Show code"),
            Message.Reply(3, "Sure:\n\n```kotlin\nval x = `1`", ReplyStatus.Stopped(null)),
            Message.Question(4, "More"),
            Message.Reply(5, "", ReplyStatus.ContextFull),
        ),
        summary = "We spoke of metals.\n",
    )

    private fun text(format: ExportFormat, conversation: Conversation = this.conversation) = exported(conversation, format, "2 May 2026", words).text

    @Test
    fun `Markdown has title, date, summary, who spoke, what was said and how it ended`() {
        val expected = """
            # What is \*Fe\*?

            2 May 2026

            ## Summary

            We spoke of metals.

            ## You

            What is Fe?

            ## Pocket\_Science

            **Iron**.

            - a metal

            ## You

            Show code

            ## Reply

            Sure:

            ```kotlin
            val x = `1`
            ```

            *Stopped*

            ## You

            More

            ## Reply

            *No reply*

        """.trimIndent()
        assertEquals(expected, text(ExportFormat.MARKDOWN))
    }

    @Test
    fun `plain text has the same`() {
        val expected = """
            What is *Fe*?
            2 May 2026

            Summary:
            We spoke of metals.

            You:
            What is Fe?

            Pocket_Science:
            **Iron**.

            - a metal

            You:
            Show code

            Reply:
            Sure:

            ```kotlin
            val x = `1`
            [Stopped]

            You:
            More

            Reply:
            [No reply]

        """.trimIndent()
        assertEquals(expected, text(ExportFormat.TEXT))
    }

    @Test
    fun `the file is named by the title and its kind`() {
        assertEquals("What is Fe.md", exportFileName(conversation.title, "md").replace("*", ""))
        val export = exported(conversation.copy(title = "a/b"), ExportFormat.TEXT, "", words)
        assertEquals("a b.txt" to ExportFormat.TEXT, export.fileName to export.format)
    }

    @Test
    fun `a conversation without a title or anything else is still a file`() {
        assertEquals("# Chat\n\n2 May 2026\n", text(ExportFormat.MARKDOWN, Conversation(1, "")))
        assertEquals("Chat\n2 May 2026\n", text(ExportFormat.TEXT, Conversation(1, " ")))
        assertEquals("chat.md", exported(Conversation(1, ""), ExportFormat.MARKDOWN, "", words).fileName)
    }

    @Test
    fun `only a block of code that is open at the end is closed`() {
        fun replied(text: String) =
            text(ExportFormat.MARKDOWN, Conversation(1, "", listOf(Message.Reply(0, text, ReplyStatus.Complete(null))))).substringAfter("Reply\n\n").trimEnd('\n')
        for (closed in listOf("```\nx\n```", "~~~\n```\n~~~", "````\n```\n````", "```x``` inline", "    ```", "```\nx\n````")) {
            assertEquals(closed, replied(closed))
        }
        assertEquals("```\nx\n```", replied("```\nx"))
        assertEquals("~~~~\n~~~\n~~~~", replied("~~~~\n~~~\n"))
        assertEquals("```\nx\n```y\n```", replied("```\nx\n```y"))
    }
}
