package io.pocketgemma.chat.journey

import android.view.View
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

/** Conversations are saved, searched, renamed, exported, and deleted. */
class ConversationsJourneyTest : JourneyTest() {
    private val other = "Which element has the symbol Hg?"

    private fun Phone.titles(): List<String> = every<TextView>(R.id.chat_title).map { it.text.toString() }

    private fun Phone.openChats() {
        tap(R.id.open_chats)
        until("the list is shown") { isShown(R.id.chats_page) }
    }

    private fun Phone.menuOf(title: String) {
        val row = every<View>(R.id.chat_row).first { words(it).contains(title) }
        tap(row.findViewById<View>(R.id.chat_more))
    }

    private fun Phone.twoConversations() {
        untilReady()
        askTaught()
        type(R.id.input, "a draft of the first")
        tap(R.id.new_chat)
        until("the new chat is empty") { questions.isEmpty() }
        assertEquals("", text(R.id.input))
        ask(other)
        untilReplied()
        openChats()
        until("both are listed") { titles() == listOf(other, TestModels.question) }
    }

    @Test
    fun `two conversations are kept separately, each with its draft, and outlive the process`() = journey {
        twoConversations()
        tap(TestModels.question)
        until("the first one is shown") { questions == listOf(TestModels.question) }
        assertEquals(TestModels.answer, replies.single())
        assertEquals("a draft of the first", text(R.id.input))
        die()
        until("it is shown again") { questions == listOf(TestModels.question) }
        assertEquals("a draft of the first", text(R.id.input))
        openChats()
        until("both are listed") { titles().toSet() == setOf(other, TestModels.question) }
    }

    @Test
    fun `a conversation is found by its words`() = journey {
        twoConversations()
        type(R.id.search, TestModels.answer.removeSuffix(".").uppercase())
        until("only the first is listed") { titles() == listOf(TestModels.question) }
        type(R.id.search, "zebra 100%")
        until("none is listed") { titles().isEmpty() && words().contains(say(R.string.nothing_found)) }
        tap(R.id.clear_search)
        until("both are listed") { titles().size == 2 }
    }

    @Test
    fun `a conversation is renamed`() = journey {
        twoConversations()
        menuOf(other)
        tap(say(R.string.rename))
        type(R.id.title_field, "Quicksilver")
        tap(say(R.string.save_title))
        until("the new name is listed") { titles().contains("Quicksilver") }
        assertFalse(titles().contains(other))
    }

    @Test
    fun `a conversation is deleted, and had back`() = journey {
        twoConversations()
        menuOf(TestModels.question)
        tap(say(R.string.delete))
        until("one is left") { titles() == listOf(other) }
        until("it can be undone") { isShown(R.id.notice_action) }
        tap(R.id.notice_action)
        until("both are listed") { titles().size == 2 }

        menuOf(TestModels.question)
        tap(say(R.string.delete))
        until("one is left") { titles() == listOf(other) }
        die()
        until("it is gone for good") { titles() == listOf(other) }
    }

    @Test
    fun `a conversation is exported as Markdown and as text, and shared`() = journey {
        twoConversations()
        val others = OtherApps(this)
        menuOf(TestModels.question)
        tap(say(R.string.export_markdown))
        lateinit var saved: Pair<String, () -> String>
        until("the place is asked for") { runCatching { saved = others.save() }.isSuccess }
        assertTrue(saved.first, saved.first.endsWith(".md") && saved.first.none { it in "/\\:*?\"<>|" })
        until("it is written") { saved.second().contains(TestModels.answer) }
        assertTrue(saved.second(), saved.second().startsWith("# ") && saved.second().contains(TestModels.question))

        menuOf(other)
        tap(say(R.string.export_text))
        until("the place is asked for") { runCatching { saved = others.save() }.isSuccess }
        assertTrue(saved.first, saved.first.endsWith(".txt"))
        until("it is written") { saved.second().contains(other) }
        assertFalse(saved.second(), saved.second().contains("#"))

        menuOf(other)
        tap(say(R.string.share_chat))
        lateinit var text: String
        until("it is shared") { runCatching { text = others.shared() }.isSuccess }
        assertTrue(text, text.contains(other))
    }
}
