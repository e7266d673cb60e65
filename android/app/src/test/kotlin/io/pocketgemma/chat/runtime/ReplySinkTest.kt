package io.pocketgemma.chat.runtime

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Test

class ReplySinkTest {
    private val text = StringBuilder()
    private val sink = ReplySink { text.append(it) }

    @Test
    fun `an end that could not be reported is still an end`() {
        sink.onChunk(null, false, null)
        assertNotNull(sink.await { true })
    }

    @Test
    fun `as long as it is not lost the end is waited for`() {
        var looks = 0
        assertNull(
            sink.await {
                if (++looks == 2) sink.onChunk(null, true, null)
                false
            },
        )
        assertEquals(2, looks)
    }

    @Test
    fun `a reported end counts, whatever is polled`() {
        sink.onChunk(null, true, "broken".toByteArray())
        assertEquals("broken", sink.await { true })
    }
}
