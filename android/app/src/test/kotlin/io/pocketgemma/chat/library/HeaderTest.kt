package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelProblem.Damaged
import io.pocketgemma.chat.model.ModelProblem.WrongKind
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.random.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Test

/** Valid headers are parsed; any other content of a file results in a problem, never in another exception. */
class HeaderTest {
    private val model = TestFiles.base(rank = 32)
    private val adapter = TestFiles.adapter(name = "Poet", rank = 32)

    private fun readModel(bytes: ByteArray, fileBytes: Long? = bytes.size.toLong()) =
        ModelHeader.read(bytes, minOf(bytes.size, ModelHeader.MAX_BYTES), fileBytes)

    private fun readAdapter(bytes: ByteArray, fileBytes: Long? = bytes.size.toLong()) =
        AdapterHeader.read(bytes, minOf(bytes.size, AdapterHeader.MAX_BYTES), fileBytes)

    private fun problem(action: () -> Unit): ModelProblem = assertThrows(ModelException::class.java) { action() }.problem

    /** The result of parsing; an exception of another kind fails the test. */
    private fun outcome(read: () -> Unit): ModelProblem? = try {
        read()
        null
    } catch (error: ModelException) {
        error.problem
    }

    @Test
    fun `a model's header has its name, the adapters that it supports and its length`() {
        val header = readModel(model)
        assertEquals(mapOf("Authors" to "somebody", "lora_rank" to "32", "base_digest" to TestFiles.BASE), header.system)
        assertEquals(32, header.adapterRank)
        assertEquals(TestFiles.BASE, header.baseDigest)
        assertEquals(model.size.toLong(), header.fileBytes)
        assertEquals(listOf(TestFiles.METADATA, TestFiles.TOKENIZER, TestFiles.MODEL), header.sections.map { it.kind })
        val plain = readModel(TestFiles.model())
        assertNull(plain.adapterRank)
        assertNull(plain.baseDigest)
    }

    @Test
    fun `an adapter's header has its name, its rank and its base`() {
        val header = readAdapter(adapter)
        assertEquals("Poet", header.name)
        assertEquals(32, header.rank)
        assertEquals(TestFiles.BASE, header.baseDigest)
        assertEquals(header.digest, String(adapter, header.digestOffset, 64))
    }

    @Test
    fun `a model cut at any length is damaged`() {
        for (length in 8 until 1200) assertEquals("$length bytes", Damaged, problem { readModel(model.copyOf(length)) })
        for (length in 1200 until model.size step 997) assertEquals("$length bytes", Damaged, problem { readModel(model.copyOf(length)) })
        assertEquals(Damaged, problem { readModel(model.copyOf(model.size - 1)) })
    }

    @Test
    fun `an adapter cut at any length is damaged`() {
        val end = String(adapter, Charsets.ISO_8859_1).indexOfLast { it != '\u0000' }
        for (length in 8 until end) {
            // The rest can be a small .tflite without a description.
            val problem = problem { readAdapter(adapter.copyOf(length)) }
            assertEquals("$length bytes: $problem", true, problem == Damaged || problem == WrongKind(".tflite"))
        }
        assertEquals(Damaged, problem { readAdapter(adapter.copyOf(adapter.size - 1)) })
    }

    @Test
    fun `bytes changed at random never do more than refuse the file`() {
        val random = Random(20_26)
        repeat(20_000) {
            val (bytes, read) = if (it % 2 == 0) model.copyOf(1200) to ::readModel else adapter.copyOf(6000) to ::readAdapter
            repeat(1 + it % 4) { bytes[random.nextInt(8, bytes.size)] = random.nextInt().toByte() }
            outcome { read(bytes, null) }
        }
    }

    @Test
    fun `a number that points far away, anywhere in a header, never does more than refuse the file`() {
        for (value in listOf(0, -1, Int.MAX_VALUE, Int.MIN_VALUE, 4, 1_000_000)) {
            for (place in 8 until 1200) {
                val bytes = model.copyOf(1200)
                ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(minOf(place, bytes.size - 4), value)
                outcome { readModel(bytes, null) }
            }
            for (place in 0 until 4000) {
                val bytes = adapter.copyOf(6000)
                ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(place, value)
                outcome { readAdapter(bytes, null) }
            }
        }
    }

    @Test
    fun `the same bytes cannot be read again and again, so that a small file would fill the memory`() {
        val root = Flatbuffer(FlatWriter.write(FlatTable("x".repeat(100_000)))).root
        assertEquals(100_000, root.string(0)!!.length)
        assertThrows(Malformed::class.java) { repeat(4) { root.string(0) } }
    }

    @Test
    fun `sections outside the file, inside the header or backwards are damage`() {
        fun withPlaces(begin: Long, end: Long): ByteArray {
            val bytes = TestFiles.model()
            val section = readModel(bytes).sections.last()
            val data = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
            val place = (0 until 2000).first { data.getLong(it) == section.begin && data.getLong(it + 8) == section.end }
            data.putLong(place, begin).putLong(place + 8, end)
            return bytes
        }
        for ((begin, end) in listOf(0L to 100L, 40_000L to 30_000L, 40_000L to (1L shl 40), -5L to 100L, 40_000L to -1L)) {
            assertEquals("$begin to $end", Damaged, problem { readModel(withPlaces(begin, end)) })
        }
    }

    @Test
    fun `a later format and a file without a language model are named`() {
        assertEquals(WrongKind(".litertlm 2"), problem { readModel(model.clone().also { it[8] = 2 }) })
        assertEquals(WrongKind(".litertlm"), problem { readModel(TestFiles.model(kinds = listOf(TestFiles.TOKENIZER))) })
        assertEquals(WrongKind(".tflite"), problem { readAdapter(TestFiles.tflite()) })
    }

    @Test
    fun `tensors that are none of an adapter's, or lie outside the file, are damage`() {
        assertEquals(Damaged, problem { readAdapter(TestFiles.adapter(tensor = "weights")) })
        assertEquals(Damaged, problem { readAdapter(TestFiles.adapter(offset = 1L shl 30)) })
        assertEquals(Damaged, problem { readAdapter(TestFiles.adapter(offset = Long.MAX_VALUE - 100)) })
    }

    @Test
    fun `a description nested without an end does not exhaust the stack`() {
        val nested = TestFiles.adapter(name = "a\", \"x\": " + "[".repeat(1500) + "]".repeat(1500) + ", \"y\": \"")
        assertEquals(Damaged, problem { readAdapter(nested) })
    }

    @Test
    fun `the kind of a file is recognized by its content`() {
        fun kind(bytes: ByteArray) = FileKind.of(bytes, bytes.size)
        fun kind(text: String) = kind(text.toByteArray(Charsets.ISO_8859_1))
        fun zip(member: String) = "PK\u0003\u0004" + "\u0000".repeat(22) + member.length.toChar() + "\u0000".repeat(3) + member + "content"
        assertEquals(FileKind.Model, kind(model))
        assertEquals(FileKind.Adapter, kind(adapter))
        assertEquals(FileKind.Other(".task"), kind(zip("TF_LITE_PREFILL_DECODE")))
        assertEquals(FileKind.Other(".task"), kind(zip("METADATA") + zip("other")))
        assertEquals(FileKind.Other(".apk"), kind(zip("AndroidManifest.xml")))
        assertEquals(FileKind.Other(".keras"), kind(zip("metadata.json")))
        assertEquals(FileKind.Other(".zip"), kind(zip("photo.jpg")))
        assertEquals(FileKind.Other(".gguf"), kind("GGUF\u0003\u0000\u0000\u0000\u0001"))
        assertEquals(FileKind.Other(".safetensors"), kind("\u0040\u0001\u0000\u0000\u0000\u0000\u0000\u0000{\"__metadata__\":{}}"))
        assertEquals(FileKind.Other(".h5"), kind("\u0089HDF\r\n\u001A\n"))
        assertEquals(FileKind.Other(".pdf"), kind("%PDF-1.7"))
        assertEquals(FileKind.Other(".html"), kind("\n<!DOCTYPE html><title>Log in</title>"))
        assertEquals(FileKind.Other(".json"), kind(" {\"a\": 1}"))
        assertEquals(FileKind.Other(".txt"), kind("Dear diary,\nToday"))
        assertEquals(FileKind.Other(null), kind("\u0000\u0001\u0002\u0003\u0004\u0005"))
        assertEquals(FileKind.Other(null), kind(""))
    }

    @Test
    fun `a name is shown as one harmless line`() {
        assertEquals("gemma.litertlm", displayName("gemma.litertlm"))
        assertEquals("passwd", displayName("../../etc/passwd"))
        assertEquals("evil.tflite", displayName("C:\\models\\evil.tflite"))
        assertEquals("ab c", displayName("a\u0000b\n c\u202E\r"))
        assertEquals(80, displayName("x".repeat(300)).length)
        assertEquals(79, displayName("😀".repeat(300)).length)
        assertEquals("", displayName(null))
        assertEquals("", displayName("/"))
        assertEquals("gemma", withoutExtension("gemma.litertlm"))
        assertEquals("poet", withoutExtension("poet.tflite"))
    }

    @Test
    fun `an id that is made from the content is asked only of files of ours`() {
        assertNull(ContentId.of(readModel(model)))
        val ours = TestFiles.model(mapOf("Authors" to "PocketGemma", "uuid" to "00000000-0000-4000-8000-000000000001"))
        assertNotNull(ContentId.of(readModel(ours)))
    }
}
