package io.pocketgemma.chat.journey

import android.content.ComponentCallbacks2
import android.widget.ScrollView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment

/** A phone is rotated, put away, called, and runs low on memory, in the middle of everything. */
class InterruptionsJourneyTest : JourneyTest() {
    /** A model that never stops, imported through the file picker. */
    private fun Phone.withEndlessModel() {
        untilReady()
        importFile(this, TestModels.endless, "endless.litertlm")
        close(R.id.models_page)
    }

    /** Stops the reply, if it has not ended by itself. */
    private fun Phone.stop() {
        if (isAnswering) tap(R.id.send)
        untilReplied()
    }

    private fun Phone.untilWriting(): String {
        until("something is written") { replies.lastOrNull().orEmpty().length > 3 }
        return replies.last()
    }

    /** Asks in an empty chat, and returns the text during the reply; on a busy machine, the model can be faster than this check. */
    private fun Phone.catchWriting(question: String): String {
        repeat(TRIES) {
            ask(question)
            val written = untilWriting()
            if (isAnswering) return written
            startAnew()
        }
        throw AssertionError("$TRIES times the reply had ended before anybody looked")
    }

    @Test
    fun `stop really stops`() = journey {
        withEndlessModel()
        catchWriting("go on for ever")
        tap(R.id.send)
        untilReplied()
        assertTrue(text(R.id.reply_caption), text(R.id.reply_caption).startsWith(say(R.string.stopped)))
        val atStop = replies
        Thread.sleep(300)
        settle()
        assertEquals(atStop, replies)
        ask("and on")
        untilWriting()
        stop()
    }

    @Test
    fun `turning the phone in the middle of a reply does not cut it`() = journey {
        withEndlessModel()
        val before = catchWriting("go on")
        change(Phone.LANDSCAPE)
        until("more is written") { replies.last().length > before.length }
        change(Phone.PORTRAIT)
        untilReplied()
        assertFalse(isShown(R.id.reply_caption) && text(R.id.reply_caption).startsWith(say(R.string.stopped)))
    }

    @Test
    fun `the end of the process in the middle of a reply keeps what was said`() = journey {
        withEndlessModel()
        val before = catchWriting("go on")
        die()
        until("the conversation is back") { questions == listOf("go on") && replies.isNotEmpty() }
        assertTrue("${replies.last().length} of ${before.length} characters are left", replies.last().length > 3)
        assertFalse(isAnswering)
        assertTrue(text(R.id.reply_caption), text(R.id.reply_caption).startsWith(say(R.string.stopped)))
        ask("and on")
        untilWriting()
        stop()
    }

    @Test
    fun `the place in a long conversation outlives rotation, process and another chat`() = journey {
        withEndlessModel()
        ask("a long one")
        until("more than a screen is written") { scroll().getChildAt(0).height > 2 * scroll().height }
        stop()
        scroll().scrollTo(0, 300)
        repeat(12) { settle() }
        change(Phone.LANDSCAPE)
        until("it is where it was, not at the end") { scroll().scrollY in 1..end() - 100 }
        change(Phone.PORTRAIT)
        until("it is where it was") { scroll().scrollY in 200..400 }
        die()
        until("it is where it was") { questions.isNotEmpty() && scroll().scrollY in 200..400 }
        tap(R.id.new_chat)
        until("the new chat is empty") { questions.isEmpty() }
        tap(R.id.open_chats)
        until("it is listed") { words().contains("a long one") }
        tap("a long one")
        until("it is where it was") { questions.isNotEmpty() && scroll().scrollY in 200..400 }
        tap(R.id.jump_to_end)
        until("it is at the end") { scroll().scrollY >= end() - 5 }
    }

    private fun Phone.scroll(): ScrollView = find(R.id.message_scroll)

    private fun Phone.end(): Int = scroll().getChildAt(0).height - scroll().height

    @Test
    fun `the model is freed when memory is short, and answers when it is asked again`() = journey {
        untilReady()
        askTaught()
        @Suppress("DEPRECATION")
        RuntimeEnvironment.getApplication().onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_COMPLETE)
        until("it sleeps") { text(R.id.status).contains(say(R.string.model_asleep)) }
        ask(TestModels.question)
        untilReplied()
        assertEquals(listOf(TestModels.answer, TestModels.answer), replies)
    }

    @Test
    fun `a conversation with a full context continues with a summary, or in a new chat with its question`() = journey {
        withEndlessModel()
        fill()
        tap(R.id.go_on_new)
        until("the question waits in a new chat") { questions.isEmpty() && text(R.id.input).startsWith("fill it") }
        fill()
        tap(R.id.go_on_summary)
        until("a new chat goes on from it", seconds = 120) { words().contains(say(R.string.carried_title)) && text(R.id.input).startsWith("fill it") }
        assertTrue(questions.isEmpty())
    }

    /** A long reply, and a question that does not fit after it. */
    private fun Phone.fill() {
        ask("go on")
        until("enough is written to go on from") { replies.lastOrNull().orEmpty().length > 400 || !isAnswering }
        stop()
        ask("fill it ".repeat(150))
        until("it is full") { isShown(R.id.context_offer) }
    }

    @Test
    fun `a question too long by itself can be made shorter, and has no other way on`() = journey {
        withEndlessModel()
        ask("fill it ".repeat(150))
        until("it is told") { words().contains(say(R.string.question_too_long)) }
        assertFalse(isShown(R.id.context_offer))
        tap(R.id.edit_question)
        until("it can be changed") { text(R.id.input).startsWith("fill it") }
        ask("go on")
        untilWriting()
        tap(R.id.send)
        untilReplied()
        assertEquals(listOf("go on"), questions)
    }

    private companion object {
        const val TRIES = 5
    }
}
