package io.pocketgemma.chat.library

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.ModelException
import kotlin.random.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertTrue
import org.junit.Assert.fail
import org.junit.Test

/** The header of a model from the pipeline. */
class RealHeaderTest {
    private val content = TestModels.taught.readBytes()
    private val header get() = ModelHeader.read(content, ModelHeader.MAX_BYTES, content.size.toLong())
    private val headerEnd = content.copyOf(4096).indexOfLast { it != 0.toByte() } + 1

    private fun holds(bytes: ByteArray): Boolean {
        val id = ContentId.of(header)!!
        // In blocks that end anywhere.
        for (place in bytes.indices step 100_003) {
            val block = bytes.copyOfRange(place, minOf(place + 100_003, bytes.size))
            id.update(place.toLong(), block, block.size)
        }
        return id.matches()
    }

    @Test
    fun `its sections fill the file, and its id is that of its content`() {
        assertEquals(content.size.toLong(), header.fileBytes)
        assertEquals("PocketGemma", header.system["Authors"])
        assertNotNull(ContentId.of(header))
        assertTrue(holds(content))
    }

    @Test
    fun `one changed byte in any section, and the id is another`() {
        for (section in header.sections) {
            for (place in listOf(section.begin, (section.begin + section.end) / 2, section.end - 1)) {
                val changed = content.clone().also { it[place.toInt()] = (it[place.toInt()] + 1).toByte() }
                assertFalse("byte $place", holds(changed))
            }
        }
    }

    @Test
    fun `cut at every length of its header, and changed at random, it never does more than refuse`() {
        for (length in 8 until headerEnd) refuses(content.copyOf(length), length.toLong())
        val random = Random(270)
        repeat(5_000) {
            val bytes = content.copyOf(headerEnd)
            repeat(1 + it % 5) { bytes[random.nextInt(8, headerEnd)] = random.nextInt().toByte() }
            reads(bytes, null)
        }
    }

    private fun refuses(bytes: ByteArray, fileBytes: Long) {
        if (reads(bytes, fileBytes)) fail("taken with ${bytes.size} bytes")
    }

    private fun reads(bytes: ByteArray, fileBytes: Long?): Boolean = try {
        ModelHeader.read(bytes, bytes.size, fileBytes)
        true
    } catch (_: ModelException) {
        false
    }
}
