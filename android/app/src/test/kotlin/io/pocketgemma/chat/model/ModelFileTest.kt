package io.pocketgemma.chat.model

import java.io.ByteArrayInputStream
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest
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
    private val manifest = manifestOf(content)
    private val private get() = File(folder.root, "private")
    private val push get() = File(folder.root, "push").apply { mkdirs() }

    private fun manifestOf(bytes: ByteArray): ModelManifest {
        val digest = MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }
        return ModelManifest("Test", bytes = bytes.size.toLong(), sha256 = digest)
    }

    private fun fromApk(bytes: ByteArray, freeBytes: Long = Long.MAX_VALUE) =
        ModelFile(private, push, { ByteArrayInputStream(bytes) }, { freeBytes })

    private fun pushed() = ModelFile(private, push, { null })

    private fun problem(action: () -> Unit): ModelProblem = assertThrows(ModelException::class.java) { action() }.problem

    @Test
    fun `a model in the APK is copied whole, with progress up to the end`() {
        val shares = mutableListOf<Double>()
        val file = fromApk(content).locate(manifest) { shares += it }
        assertArrayEquals(content, file.readBytes())
        assertEquals(shares.sorted(), shares)
        assertEquals(1.0, shares.last(), 0.0)
    }

    @Test
    fun `the copy is made once, and again when it was cut`() {
        val file = fromApk(content).locate(manifest) {}
        val copies = mutableListOf<Double>()
        fromApk(content).locate(manifest) { copies += it }
        assertTrue(copies.isEmpty())
        file.writeBytes(content.copyOf(100))
        assertArrayEquals(content, fromApk(content).locate(manifest) {}.readBytes())
    }

    @Test
    fun `another model takes the place of the old copy`() {
        fromApk(content).locate(manifest) {}
        val other = byteArrayOf(1, 2, 3)
        val file = fromApk(other).locate(manifestOf(other)) {}
        assertArrayEquals(other, file.readBytes())
        assertEquals(listOf(file), private.listFiles()!!.toList())
    }

    @Test
    fun `a changed byte is found, and leaves no copy`() {
        val changed = content.clone().also { it[1_500_000] = (it[1_500_000] + 1).toByte() }
        assertEquals(ModelProblem.Damaged, problem { fromApk(changed).locate(manifest) {} })
        assertTrue(private.listFiles()!!.isEmpty())
    }

    @Test
    fun `a full phone is told before copying`() {
        assertEquals(ModelProblem.NoSpace(content.size.toLong()), problem { fromApk(content, freeBytes = 1000).locate(manifest) {} })
    }

    @Test
    fun `an asset that cannot be read is a problem, not a crash`() {
        val broken = object : InputStream() {
            override fun read(): Int = throw IOException("bad sector")
        }
        val problem = problem { ModelFile(private, push, { broken }, { Long.MAX_VALUE }).locate(manifest) {} }
        assertEquals(ModelProblem.Unusable("bad sector"), problem)
    }

    @Test
    fun `a pushed model is taken where it lies`() {
        val file = File(push, ModelFile.PUSHED_NAME).apply { writeBytes(content) }
        assertEquals(file, pushed().locate(manifest) {})
        assertEquals(file, pushed().locate(manifest) {})
    }

    @Test
    fun `no model at all is told with the place where one is expected`() {
        assertEquals(ModelProblem.Missing(File(push, ModelFile.PUSHED_NAME).path), problem { pushed().locate(manifest) {} })
    }

    @Test
    fun `a pushed model that is cut or changed is refused, also after a good one was seen`() {
        val file = File(push, ModelFile.PUSHED_NAME).apply { writeBytes(content) }
        pushed().locate(manifest) {}
        file.writeBytes(content.copyOf(content.size - 1))
        assertEquals(ModelProblem.Damaged, problem { pushed().locate(manifest) {} })
        file.writeBytes(content.clone().also { it[7] = 0 })
        file.setLastModified(file.lastModified() + 5000)
        assertEquals(ModelProblem.Damaged, problem { pushed().locate(manifest) {} })
    }
}
