package io.pocketgemma.chat.model

import io.pocketgemma.chat.TestModels
import java.io.ByteArrayInputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class ModelFileTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val content = ByteArray(3_000_000) { (it * 31).toByte() }
    private val expected = expectedOf(content)
    private val private get() = File(folder.root, "private")
    private val pushed get() = File(folder.root, "model.litertlm")

    private fun expectedOf(bytes: ByteArray) = ExpectedFile(TestModels.sha256(bytes), bytes.size.toLong())

    private fun copy(bytes: ByteArray, of: ExpectedFile = expected, freeBytes: Long = Long.MAX_VALUE, onProgress: (Double) -> Unit = {}): File =
        copy(ByteArrayInputStream(bytes), of, freeBytes, onProgress)

    private fun copy(asset: InputStream, of: ExpectedFile, freeBytes: Long = Long.MAX_VALUE, onProgress: (Double) -> Unit = {}): File =
        ModelFile(private, { freeBytes }).copied(asset, of, ".litertlm", onProgress)

    private fun check(of: ExpectedFile = expected) = ModelFile(private).pushed(pushed, of)

    private fun problem(action: () -> Unit): ModelProblem = assertThrows(ModelException::class.java) { action() }.problem

    @Test
    fun `a model in the APK is copied whole, with progress up to the end`() {
        val shares = mutableListOf<Double>()
        val file = copy(content) { shares += it }
        assertArrayEquals(content, file.readBytes())
        assertEquals(shares.sorted(), shares)
        assertEquals(1.0, shares.last(), 0.0)
    }

    @Test
    fun `the copy is made once, and again when it was cut`() {
        val file = copy(content)
        val copies = mutableListOf<Double>()
        copy(content) { copies += it }
        assertTrue(copies.isEmpty())
        file.writeBytes(content.copyOf(100))
        assertArrayEquals(content, copy(content).readBytes())
    }

    @Test
    fun `of several copies each stays, and what an older app has left goes`() {
        val other = byteArrayOf(1, 2, 3)
        val files = listOf(copy(content), copy(other, expectedOf(other)))
        assertArrayEquals(content, files.first().readBytes())
        ModelFile(private).keepOnly(listOf(expectedOf(other) to ".litertlm"))
        assertEquals(files.takeLast(1), private.listFiles()!!.toList())
    }

    @Test
    fun `a changed byte is found, and leaves no copy`() {
        val changed = content.clone().also { it[1_500_000] = (it[1_500_000] + 1).toByte() }
        assertEquals(ModelProblem.Damaged, problem { copy(changed) })
        assertTrue(private.listFiles()!!.isEmpty())
    }

    @Test
    fun `a full phone is reported before copying`() {
        assertEquals(ModelProblem.NoSpace(content.size.toLong()), problem { copy(content, freeBytes = 1000) })
    }

    @Test
    fun `an asset that cannot be read is a problem, not a crash`() {
        val broken = object : InputStream() {
            override fun read(): Int = throw IOException("bad sector")
        }
        assertEquals(ModelProblem.Unreadable("bad sector"), problem { copy(broken, expected) })
    }

    @Test
    fun `a pushed model is taken where it lies`() {
        pushed.writeBytes(content)
        assertEquals(pushed, check())
        assertEquals(pushed, check())
    }

    @Test
    fun `a missing pushed model is reported with the path where it is expected`() {
        assertEquals(ModelProblem.Missing(pushed.path), problem { check() })
    }

    @Test
    fun `a pushed model that is cut or changed is refused, also after a good one was seen`() {
        pushed.writeBytes(content)
        check()
        pushed.writeBytes(content.copyOf(content.size - 1))
        assertEquals(ModelProblem.Damaged, problem { check() })
        pushed.writeBytes(content.clone().also { it[7] = 0 })
        pushed.setLastModified(pushed.lastModified() + 5000)
        assertEquals(ModelProblem.Damaged, problem { check() })
    }
}
