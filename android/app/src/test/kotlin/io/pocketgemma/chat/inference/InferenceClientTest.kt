package io.pocketgemma.chat.inference

import io.pocketgemma.chat.fake.ChatFixture
import io.pocketgemma.chat.fake.Shelf
import io.pocketgemma.chat.fake.last
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyListener
import io.pocketgemma.chat.model.Request
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class InferenceClientTest {
    private val early = ChatFixture(loaded = false)
    private val ends = mutableListOf<ReplyEnd>()
    private val listener = object : ReplyListener {
        override fun onText(text: String) = Unit

        override fun onEnd(text: String, end: ReplyEnd) {
            ends += end
        }
    }

    private fun ChatFixture.ask() = inference.ask(listener) { settings, library ->
        Request(library.activeSelection(settings), settings.options, ConversationConfig(), "q")
    }

    @Test
    fun `a question waits for settings and library, and is asked once`() {
        early.ask()
        early.load(Settings(threads = 3))
        early.settings.change { it.copy(threads = 4) }
        early.library.dispatch(Shelf.loaded.copy(sampleQuestions = listOf("?")))
        assertEquals(listOf(EngineOptions(threads = 3)), early.host.asked.map { it.request.options })
    }

    @Test
    fun `one that is stopped while it waits ends once and is never asked`() {
        val question = early.ask()
        question.close()
        question.close()
        early.load()
        assertEquals(listOf(ReplyEnd.Stopped(null)), ends)
        assertEquals(0, early.host.asked.size)
    }

    @Test
    fun `one that was asked is stopped by the host`() {
        early.load()
        early.ask().close()
        assertEquals(1, early.host.last.stops)
        assertEquals(emptyList<ReplyEnd>(), ends)
    }

    @Test
    fun `observers receive changes once both are loaded, and none after closing`() {
        val heard = mutableListOf<Int>()
        val observing = early.inference.observe { settings, library -> heard += settings.threads * 10 + library.models.size }
        early.load(Settings(threads = 1))
        early.settings.change { it.copy(threads = 2) }
        observing.close()
        early.settings.change { it.copy(threads = 3) }
        early.library.dispatch(Shelf.loaded.copy(models = emptyList()))
        assertEquals(listOf(12, 22), heard)
    }

    @Test
    fun `names are the model's and the adapter's`() {
        early.load()
        val library = early.library.state
        assertEquals("Gemma · Science", library.nameOf(Shelf.tuned))
        assertEquals("Gemma", library.nameOf(Shelf.base))
        assertNull(library.nameOf(Selection("gone")))
    }
}
