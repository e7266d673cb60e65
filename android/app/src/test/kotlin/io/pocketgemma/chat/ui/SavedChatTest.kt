package io.pocketgemma.chat.ui

import android.os.Bundle
import io.pocketgemma.chat.chat.Message
import io.pocketgemma.chat.chat.ReplyStatus
import io.pocketgemma.chat.model.Speed
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class SavedChatTest {
    private fun savedAndRead(messages: List<Message>) = SavedChat.read(Bundle().also { SavedChat.write(it, messages) })

    @Test
    fun `a chat comes back, and a reply that was under way comes back as stopped`() {
        val saved = listOf(
            Message.Question(4, "What is Fe? \uD83D\uDE00"),
            Message.Reply(5, "Iron.", ReplyStatus.Complete(Speed(0.1, 3, 30.0))),
            Message.Question(6, "And Au?"),
            Message.Reply(7, "Go", ReplyStatus.Active()),
        )
        val expected = listOf(
            Message.Question(0, "What is Fe? \uD83D\uDE00"),
            Message.Reply(1, "Iron.", ReplyStatus.Complete(null)),
            Message.Question(2, "And Au?"),
            Message.Reply(3, "Go", ReplyStatus.Stopped(null)),
        )
        assertEquals(expected, savedAndRead(saved))
    }

    @Test
    fun `of a chat too long to save the end is kept`() {
        val read = savedAndRead(List(50) { Message.Question(it.toLong(), "$it" + "x".repeat(5000)) })
        assertTrue("${read.size}", read.size in 10..25)
        assertTrue(read.last().text.startsWith("49x"))
    }

    @Test
    fun `a state without a chat gives none`() = assertEquals(emptyList<Message>(), SavedChat.read(Bundle()))
}
