package io.pocketgemma.chat.settings

import io.pocketgemma.chat.model.Sampling
import org.junit.Assert.assertEquals
import org.junit.Test

class SettingsTest {
    @Test
    fun `the defaults are within the limits`() = assertEquals(Settings(), Settings().withinLimits())

    @Test
    fun `what is beyond a limit is moved to it`() {
        val low = Settings(threads = -1, sampling = Sampling(-1f, 0, -1f, -5), replyTokens = 0).withinLimits()
        assertEquals(Settings(threads = 0, sampling = Sampling(0f, 1, 0f, 0), replyTokens = 16), low)
        val high = Settings(threads = 99, sampling = Sampling(9f, 999, 9f, Int.MAX_VALUE), replyTokens = 99_999).withinLimits()
        assertEquals(Settings(threads = 8, sampling = Sampling(2f, 256, 1f, Int.MAX_VALUE), replyTokens = 4096), high)
    }

    @Test
    fun `what is no number becomes the default`() {
        val settings = Settings(sampling = Sampling(temperature = Float.NaN, topP = Float.NaN)).withinLimits()
        assertEquals(Sampling(), settings.sampling)
    }

    @Test
    fun `a system prompt is cut to what leaves room for a conversation, never within a character`() {
        assertEquals(Settings.MAX_SYSTEM_PROMPT, Settings(systemPrompt = "x".repeat(9000)).withinLimits().systemPrompt.length)
        assertEquals("x" + "😀".repeat(3999), Settings(systemPrompt = "x" + "😀".repeat(5000)).withinLimits().systemPrompt)
    }
}
