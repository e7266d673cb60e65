package io.pocketgemma.chat.journey

import android.view.View
import android.widget.ImageButton
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Chatting with the model that came with the app. */
class ChatJourneyTest : JourneyTest() {
    @Test
    fun `a sample question is asked by a tap, the reply copied and shared, its numbers looked at`() = journey {
        untilReady()
        val others = OtherApps(this)
        val sample = samples().first { it.endsWith("?") }
        tap(sample)
        untilReplied()
        assertEquals(listOf(sample), questions)
        val answer = replies.single()
        assertTrue(answer, answer.length > 5)

        tap(R.id.copy_reply)
        assertEquals(answer, others.clipboard())
        tap(R.id.share_reply)
        assertEquals(answer, others.shared())

        assertFalse(find<View>(R.id.reply_caption).isShown)
        tap(R.id.more_reply)
        tap(say(R.string.show_numbers))
        until("the numbers are shown") { isShown(R.id.reply_caption) }
        val numbers = text(R.id.reply_caption)
        assertTrue(numbers, Regex("""\d.*/s.*\d""").containsMatchIn(numbers))
        tap(R.id.more_reply)
        tap(say(R.string.hide_numbers))
        assertFalse(isShown(R.id.reply_caption))
    }

    @Test
    fun `any part of a question and of a reply can be selected`() = journey {
        untilReady()
        askTaught()
        assertTrue(find<TextView>(R.id.question_text).isTextSelectable)
        val parts = every<android.view.ViewGroup>(R.id.reply_body).flatMap { body -> (0 until body.childCount).map(body::getChildAt) }
        assertTrue("$parts", parts.isNotEmpty() && parts.filterIsInstance<TextView>().all { it.isTextSelectable })
        tap(R.id.more_reply)
        tap(say(R.string.select_text))
        assertEquals(TestModels.answer, text(R.id.whole_text))
        assertTrue(find<TextView>(R.id.whole_text).isTextSelectable)
    }

    @Test
    fun `the last question is asked once more, changed and sent again, or left as it was`() = journey {
        untilReady()
        val answer = askTaught()
        tap(R.id.regenerate)
        untilReplied()
        assertEquals(listOf(answer), replies)

        type(R.id.input, "something begun")
        tap(R.id.edit_question)
        assertEquals(TestModels.question, text(R.id.input))
        tap(R.id.cancel_edit)
        assertEquals("something begun", text(R.id.input))

        tap(R.id.edit_question)
        val other = "Which element has the symbol Hg?"
        ask(other)
        untilReplied()
        assertEquals(listOf(other), questions)
        assertNotEquals(answer, replies.single())
    }

    @Test
    fun `nothing is sent while nothing is written`() = journey {
        untilReady()
        for (draft in listOf("", "   ", "\n")) {
            type(R.id.input, draft)
            assertFalse("\"$draft\" could be sent", find<ImageButton>(R.id.send).isEnabled)
        }
    }

    @Test
    fun `what a model writes cannot do more than be read`() = journey {
        untilReady()
        // The user's own text uses the same screen: Markdown and HTML syntax stays unchanged.
        ask("**bold** <script>alert(1)</script> [x](javascript:alert(1))")
        untilReplied()
        assertEquals("**bold** <script>alert(1)</script> [x](javascript:alert(1))", questions.single())
    }
}
