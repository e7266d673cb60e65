package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.hex
import java.io.File
import java.io.InputStream
import java.security.MessageDigest
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** A base that did not fit into the APK, and is next to it or missing. */
class PushedBaseTest {
    @get:Rule val folder = TemporaryFolder()

    private val content = ByteArray(5000) { (it % 7).toByte() }
    private val digest = MessageDigest.getInstance("SHA-256").digest(content).hex()
    private val manifest =
        """{"name": "Science", "model": {"sha256": "${"ab".repeat(32)}", "bytes": 1}, "base_model": {"sha256": "$digest", "bytes": 5000}}"""
    private val pushed get() = File(folder.root, "pushed").apply { mkdirs() }
    private val library = ModelLibrary(
        object : AppFolders {
            override val own get() = File(folder.root, "own").apply { mkdirs() }
            override val pushed get() = this@PushedBaseTest.pushed
            override val cache get() = File(folder.root, "cache")
            override fun asset(name: String): InputStream? = when (name) {
                "manifest.json" -> manifest.byteInputStream()
                "model.litertlm" -> "x".byteInputStream()
                else -> null
            }
        },
        "App",
    )

    @Test
    fun `a base that was pushed is taken where it lies`() {
        val file = File(pushed, "base.litertlm").apply { writeBytes(content) }
        val base = library.scan().models.single { it.isBase }
        assertEquals(digest to Origin.PUSHED, base.id to base.origin)
        assertEquals(digest, library.scan().base?.model)
        assertEquals(file, library.file(library.model(base.id)))
    }

    @Test
    fun `one that is another is refused`() {
        File(pushed, "base.litertlm").writeBytes(ByteArray(5000))
        val refused = assertThrows(ModelException::class.java) { library.file(library.model(digest)) }
        assertEquals(ModelProblem.Damaged, refused.problem)
    }

    @Test
    fun `without it there is no base, and nothing is wrong`() {
        assertEquals(1, library.scan().models.size)
        assertNull(library.scan().base)
    }
}
