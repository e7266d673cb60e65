package io.pocketgemma.chat.library

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelProblem.Damaged
import io.pocketgemma.chat.model.ModelProblem.WrongKind
import java.io.ByteArrayInputStream
import java.io.File
import java.io.FilterInputStream
import java.io.IOException
import java.io.InputStream
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class FileImportTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val phone by lazy { TestPhone(folder.root) }
    private val model = TestFiles.model()

    /** Three megabytes: several blocks. */
    private val large = TestFiles.model(sectionBytes = 1_000_000)

    /** Fails the test if more than [most] bytes are read. */
    private class Counted(input: InputStream, private val most: Int) : FilterInputStream(input) {
        private var count = 0

        override fun read(target: ByteArray, offset: Int, length: Int): Int = super.read(target, offset, length).also {
            count += it
            check(count <= most) { "$count bytes were read" }
        }
    }

    private class Breaking(content: ByteArray, private val after: Int, private val how: () -> Exception) : InputStream() {
        private val inner = ByteArrayInputStream(content)
        private var count = 0

        override fun read(): Int = throw UnsupportedOperationException()

        override fun read(target: ByteArray, offset: Int, length: Int): Int {
            if (count >= after) throw how()
            return inner.read(target, offset, minOf(length, after - count)).also { count += it }
        }
    }

    @Test
    fun `a model is taken in whole, under its digest, with the name it had`() {
        val shares = mutableListOf<Double?>()
        val outcome = phone.import(large, "Gemma für alle.litertlm") {
            assertEquals("Gemma für alle.litertlm", it.name)
            shares += it.share
        }
        val id = TestModels.sha256(large)
        assertEquals(ImportOutcome.Taken(id), outcome)
        assertEquals(null, shares.first())
        assertEquals(1.0, shares.last()!!, 0.0)
        assertEquals(shares.drop(1).map { it!! }.sorted(), shares.drop(1))
        assertEquals(listOf("own/models/$id.json", "own/models/$id.litertlm"), phone.files())
        assertArrayEquals(large, File(phone.own, "models/$id.litertlm").readBytes())
        val entry = phone.library().scan().models.single()
        assertEquals(ModelEntry(id, "Gemma für alle", large.size.toLong(), Origin.IMPORTED), entry)
    }

    @Test
    fun `an adapter is taken in when its base is here`() {
        val base = phone.taken(TestFiles.base())
        val adapter = phone.taken(TestFiles.adapter(), "poet.tflite")
        val library = phone.library()
        val entry = library.scan().adapters.single()
        assertEquals(AdapterEntry(adapter, "poet", 65_536, Origin.IMPORTED, 16, TestFiles.BASE), entry)
        assertTrue(entry.fits(library.model(base)))
        assertEquals("own/adapters/$adapter.tflite", library.file(entry).relativeTo(folder.root).path)
    }

    @Test
    fun `a file without a name is called as its adapter, or by its digest`() {
        val base = phone.taken(TestFiles.base(), null)
        phone.taken(TestFiles.adapter(name = "Poet"), "")
        val seen = phone.library().scan()
        assertEquals(base.take(8), seen.models.single().name)
        assertEquals("Poet", seen.adapters.single().name)
    }

    @Test
    fun `a name never becomes part of a path`() {
        val names = listOf(
            "../../../evil.litertlm", "/etc/passwd", "a\u0000b.litertlm", "x".repeat(300), "..", ".", "\u202Emltretil.exe", "con/../../x",
        )
        for ((index, name) in names.withIndex()) {
            val content = TestFiles.model(seed = 100 + index)
            val id = phone.taken(content, name)
            assertTrue(phone.files().toString(), phone.files().containsAll(listOf("own/models/$id.json", "own/models/$id.litertlm")))
        }
        assertEquals(2 * names.size, phone.files().size)
        for (entry in phone.library().scan().models) {
            assertTrue(entry.name, entry.name.length in 1..80 && entry.name.none { it.code < 32 || it == '/' || it == '\u202E' })
        }
    }

    @Test
    fun `every other kind of file is named, and after its first megabyte`() {
        val filler = ByteArray(3_000_000)
        val task = "PK\u0003\u0004" + "\u0000".repeat(22) + "\u0016\u0000\u0000\u0000TF_LITE_PREFILL_DECODE"
        val kinds = mapOf(
            task to ".task",
            "PK\u0003\u0004" to ".zip",
            "GGUF\u0003" to ".gguf",
            "\u0010\u0000\u0000\u0000\u0000\u0000\u0000\u0000{\"a\":" to ".safetensors",
            String(TestFiles.tflite(), Charsets.ISO_8859_1) to ".tflite",
            "hello" to null,
        )
        for ((start, found) in kinds) {
            val content = start.toByteArray(Charsets.ISO_8859_1) + filler
            assertEquals(WrongKind(found), phone.refusal(content) { Counted(ByteArrayInputStream(it), 1 shl 20) })
        }
        assertEquals(WrongKind(".txt"), phone.refusal("Dear diary".toByteArray()))
        assertEquals(WrongKind(null), phone.refusal(ByteArray(0)))
        assertEquals(emptyList<String>(), phone.files())
    }

    @Test
    fun `a model that ends too early is refused before it is copied when its length is known, and after that otherwise`() {
        val cut = large.copyOf(large.size - 1)
        assertEquals(Damaged, phone.refusal(cut) { Counted(ByteArrayInputStream(it), 1 shl 20) })
        assertEquals(Damaged, phone.refusal(cut, bytes = null))
        assertEquals(Damaged, phone.refusal(cut, bytes = large.size.toLong()))
        assertEquals(Damaged, phone.refusal(model.copyOf(500), bytes = null))
        assertEquals(emptyList<String>(), phone.files())
    }

    @Test
    fun `a model of ours with another content than its id was made from is refused`() {
        val content = TestFiles.model(mapOf("Authors" to "PocketGemma", "uuid" to "00000000-0000-4000-8000-000000000001"))
        assertEquals(Damaged, phone.refusal(content))
        assertEquals(emptyList<String>(), phone.files())
    }

    @Test
    fun `an adapter with one changed byte is refused`() {
        phone.taken(TestFiles.base())
        val before = phone.files()
        for (place in listOf(65_000, 5000)) {
            val changed = TestFiles.adapter().also { it[place] = (it[place] + 1).toByte() }
            assertEquals(Damaged, phone.refusal(changed))
        }
        assertEquals(Damaged, phone.refusal(TestFiles.adapter().copyOf(65_535), bytes = null))
        assertEquals(before, phone.files())
    }

    @Test
    fun `an adapter of another base, of another rank, or without any base is distinguished`() {
        assertEquals(ModelProblem.TakesNoAdapters, phone.refusal(TestFiles.adapter()))
        phone.taken(model)
        assertEquals(ModelProblem.TakesNoAdapters, phone.refusal(TestFiles.adapter()))
        phone.taken(TestFiles.base(rank = 16))
        assertEquals(ModelProblem.OtherBase, phone.refusal(TestFiles.adapter(baseDigest = TestFiles.OTHER_BASE)))
        assertEquals(ModelProblem.OtherBase, phone.refusal(TestFiles.adapter(rank = 32)))
        assertEquals(emptyList<AdapterEntry>(), phone.library().scan().adapters)
    }

    @Test
    fun `a phone without storage is reported before copying`() {
        phone.freeBytes = large.size.toLong()
        val problem = phone.refusal(large) { Counted(ByteArrayInputStream(it), 1 shl 20) }
        assertTrue("$problem", problem is ModelProblem.NoSpace && problem.neededBytes > large.size)
        assertEquals(emptyList<String>(), phone.files())
    }

    @Test
    fun `a sender that never stops does not fill the phone`() {
        val endless = { start: ByteArray ->
            object : InputStream() {
                private var left = ByteArrayInputStream(start)

                override fun read(): Int = throw UnsupportedOperationException()

                override fun read(target: ByteArray, offset: Int, length: Int): Int {
                    phone.freeBytes -= length
                    return left.read(target, offset, length).takeIf { it > 0 } ?: length
                }
            }
        }
        phone.freeBytes = 100L shl 20
        assertTrue(phone.refusal(model, bytes = null, stream = endless) is ModelProblem.NoSpace)
        assertTrue(phone.freeBytes > 16L shl 20)
        assertEquals(emptyList<String>(), phone.files())
    }

    @Test
    fun `a model that this phone can never hold is refused before copying`() {
        phone.memory = Memory(total = 200_000_000, free = 190_000_000)
        val problem = phone.refusal(large) { Counted(ByteArrayInputStream(it), 1 shl 20) }
        assertTrue("$problem", problem is ModelProblem.TooLarge && !problem.tryAnyway)
        phone.memory = Memory(total = 2_000_000_000, free = 1)
        phone.taken(large)
    }

    @Test
    fun `what another app throws is a problem with its message`() {
        assertEquals(ModelProblem.Unreadable("gone"), phone.refusal(large) { Breaking(it, 2_000_000) { IOException("gone") } })
        assertEquals(ModelProblem.Unreadable("no"), phone.refusal(large) { Breaking(it, 500) { SecurityException("no") } })
        phone.offer = null
        val outcome = FileImport(phone.library(), phone) { phone.memory }.run("content://gone", ImportCancellation()) {}
        assertEquals(ImportOutcome.Refused("", ModelProblem.Unreadable("no such file")), outcome)
        assertEquals(emptyList<String>(), phone.files())
    }

    @Test
    fun `a sender that reports an error at its end is not believed`() {
        val failing = { content: ByteArray ->
            object : ByteArrayInputStream(content) {
                override fun close() = throw IOException("the other side failed")
            }
        }
        assertEquals(ModelProblem.Unreadable("the other side failed"), phone.refusal(model, stream = failing))
        assertEquals(emptyList<String>(), phone.files())
    }

    @Test
    fun `a canceled import leaves nothing, whenever it is canceled`() {
        for (after in listOf(0, 100, 1_500_000, large.size)) {
            val cancellation = ImportCancellation()
            val stream = { content: ByteArray ->
                object : ByteArrayInputStream(content) {
                    override fun read(target: ByteArray, offset: Int, length: Int): Int {
                        if (pos >= after) cancellation.cancel()
                        return super.read(target, offset, length)
                    }
                }
            }
            assertEquals("after $after", ImportOutcome.Cancelled, phone.import(large, cancellation = cancellation, stream = stream))
            assertEquals(emptyList<String>(), phone.files())
        }
    }

    @Test
    fun `cancelling closes the stream, so that a read that waits ends`() {
        val cancellation = ImportCancellation()
        var closed = false
        val stream = { content: ByteArray ->
            object : ByteArrayInputStream(content) {
                override fun read(target: ByteArray, offset: Int, length: Int): Int {
                    cancellation.cancel()
                    check(closed)
                    throw IOException("closed")
                }

                override fun close() {
                    closed = true
                }
            }
        }
        assertEquals(ImportOutcome.Cancelled, phone.import(large, cancellation = cancellation, stream = stream))
    }

    @Test
    fun `the same file again is recognised and stays as it is`() {
        val id = phone.taken(model, "first.litertlm")
        val file = File(phone.own, "models/$id.litertlm").apply { setLastModified(1_000_000_000_000) }
        val before = phone.files()
        assertEquals(id, phone.taken(model, "second.litertlm"))
        assertEquals(before, phone.files())
        assertEquals(1_000_000_000_000, file.lastModified())
        assertEquals("first", phone.library().scan().models.single().name)
    }

    @Test
    fun `a file that was truncated since is reported, and repaired by importing it again`() {
        val id = phone.taken(model)
        val file = File(phone.own, "models/$id.litertlm")
        file.writeBytes(model.copyOf(model.size - 1))
        val library = phone.library()
        assertEquals(Damaged, problemOf { library.file(library.model(id)) })
        phone.taken(model)
        assertArrayEquals(model, library.file(library.model(id)).readBytes())
    }

    @Test
    fun `a failed import harms nothing that was there`() {
        val id = phone.taken(model)
        val before = phone.files().associateWith { File(folder.root, it).readBytes().toList() }
        phone.refusal(large.copyOf(2_000_000), bytes = null)
        phone.refusal("text".toByteArray())
        phone.refusal(TestFiles.adapter())
        assertEquals(before, phone.files().associateWith { File(folder.root, it).readBytes().toList() })
        assertEquals(id, phone.library().scan().models.single().id)
    }

    @Test
    fun `what an import has left that the end of the app cut off is gone after the next start`() {
        val id = phone.taken(model)
        val partial = phone.library().imported.partial().apply { writeBytes(large.copyOf(1_000_000)) }
        val other = "d".repeat(64)
        File(phone.own, "models/$other.json").writeText("""{"name": "without its file", "bytes": 3}""")
        File(phone.own, "adapters").mkdirs()
        File(phone.own, "adapters/$other.tflite").writeBytes(ByteArray(10))
        File(phone.own, "models/junk").writeBytes(ByteArray(10))
        assertEquals(listOf(id), phone.library().scan().models.map { it.id })
        assertTrue(!partial.exists())
        assertEquals(listOf("own/models/$id.json", "own/models/$id.litertlm"), phone.files())
    }

    @Test
    fun `removing deletes the file and what the runtime has prepared of it, and nothing else`() {
        val kept = phone.taken(TestFiles.base())
        val gone = phone.taken(large)
        val adapter = phone.taken(TestFiles.adapter())
        phone.cache.mkdirs()
        val ending = ".litertlm_1_2.xnnpack_cache"
        val caches = listOf("$kept$ending", "$gone$ending", "model$ending", "gpu.trial")
        caches.forEach { File(phone.cache, it).writeText("x") }
        val library = phone.library()
        library.remove(gone)
        library.remove(adapter)
        library.remove("../../own")
        library.remove("app")
        assertEquals(listOf(kept), library.scan().models.map { it.id })
        assertEquals(emptyList<AdapterEntry>(), library.scan().adapters)
        assertEquals((caches - caches[1]).sorted(), phone.cache.list()!!.sorted())
        assertTrue(phone.files().none { gone in it || adapter in it })
    }

    @Test
    fun `a model that came with the app need not be stored twice`() {
        phone.bundle(model, """{"name": "Here", "model": {"bytes": ${model.size}, "sha256": "${TestModels.sha256(model)}"}}""")
        phone.taken(model)
        assertEquals(emptyList<String>(), phone.files())
        assertNotEquals(ImportOutcome.Taken(TestModels.sha256(model)), phone.import(large))
    }
}
