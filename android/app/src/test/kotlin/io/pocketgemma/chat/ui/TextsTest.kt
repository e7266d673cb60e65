package io.pocketgemma.chat.ui

import android.app.Application
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Selection
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], qualifiers = "en-rUS", application = Application::class)
class TextsTest {
    private val texts get() = Texts(RuntimeEnvironment.getApplication())
    private val metrics = ReplyMetrics(0.0424, 20, 900.0, 1, 45.64, 310_000_000)

    @Test
    fun `what a reply cost is one line`() {
        assertEquals("1 token · 45.6 tokens/s · 42 ms to first token · 310 MB of memory", texts.metrics(metrics))
        assertEquals(
            "1,024 tokens · 1,201 tokens/s · 2.4 s to first token",
            texts.metrics(ReplyMetrics(2.38, 20, 900.0, 1024, 1200.7)),
        )
    }

    @Test
    @Config(qualifiers = "de")
    fun `numbers are written as the language writes them`() {
        assertEquals("1 Token · 45,6 Tokens/s · erstes Token nach 42 ms · 310 MB Arbeitsspeicher", texts.metrics(metrics).replace('\u00a0', ' '))
        assertEquals("96,8 %", texts.percent(0.9675).replace('\u00a0', ' '))
        assertEquals("1,6 Millionen", texts.inWords(1_560_064))
        assertEquals("7.170", texts.number(7170))
    }

    @Test
    fun `large numbers are written in words`() =
        assertEquals(listOf("950", "268.1 million", "1 billion"), listOf(950L, 268_098_176L, 1_000_000_000L).map(texts::inWords))

    @Test
    fun `a selection is named by model and adapter`() {
        val library = SampleLibrary.state
        assertEquals("Pocket Science", texts.selectionName(library, Selection(SampleLibrary.tuned.id)))
        assertEquals("Gemma 3 270M with Poet", texts.selectionName(library, Selection(SampleLibrary.large.id, SampleLibrary.poet.id)))
        assertEquals("No model", texts.selectionName(library, Selection("gone")))
        assertEquals("No model", texts.selectionName(LibraryState(), null))
        val withAdapter = library.copy(tuned = Selection(SampleLibrary.large.id, SampleLibrary.clerk.id), base = Selection(SampleLibrary.large.id))
        assertEquals("Gemma 3 270M (before fine-tuning)", texts.selectionName(withAdapter, withAdapter.base))
    }
}
