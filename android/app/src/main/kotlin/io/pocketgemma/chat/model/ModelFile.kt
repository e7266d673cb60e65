package io.pocketgemma.chat.model

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest

/** The expected properties of a file. Null: unknown. */
data class ExpectedFile(val sha256: String?, val bytes: Long?)

/**
 * Provides files that came with the app in a form that the runtime can open, and verifies that they match the manifest.
 *
 * A file in the APK is copied once to [folder], named by its digest: the runtime maps a file of its own, and a new app version with another
 * model never uses the old copy. A file too large for the APK stays where it was pushed. Worker threads only.
 *
 * @param freeBytes returns the free space in a folder.
 */
class ModelFile(private val folder: File, private val freeBytes: (File) -> Long = { it.usableSpace }) {
    /**
     * The verified copy of an asset. [onProgress] receives the copied share, 0 to 1.
     *
     * @param extension extension of the copy, with its dot.
     * @throws ModelException the file is damaged, or there is no space to copy it.
     */
    fun copied(asset: InputStream, expected: ExpectedFile, extension: String, onProgress: (Double) -> Unit): File = wrapErrors {
        folder.mkdirs()
        val target = File(folder, copyName(expected, extension))
        // Only a complete, verified copy gets this name; a different length means that it was truncated afterwards.
        if (target.isFile && expected.sha256 != null && target.length() == expected.bytes) return target
        target.delete()
        expected.bytes?.let { needed -> if (freeBytes(folder) < needed) throw ModelException(ModelProblem.NoSpace(needed)) }
        val partial = File(folder, PARTIAL)
        try {
            val digest = partial.outputStream().use { out ->
                readAll(asset) { block, length, total ->
                    out.write(block, 0, length)
                    expected.bytes?.let { onProgress((total.toDouble() / it).coerceAtMost(1.0)) }
                }
            }
            if (expected.sha256 != null && digest != expected.sha256) throw ModelException(ModelProblem.Damaged)
            if (!partial.renameTo(target)) throw IOException("cannot rename $partial")
        } finally {
            partial.delete()
        }
        target
    }

    /**
     * A file that was pushed to the phone, verified in place.
     *
     * @throws ModelException the file does not exist, or is not the one that was built.
     */
    fun pushed(file: File, expected: ExpectedFile): File = wrapErrors {
        if (!file.isFile) throw ModelException(ModelProblem.Missing(file.path))
        if (expected.bytes != null && file.length() != expected.bytes) throw ModelException(ModelProblem.Damaged)
        if (expected.sha256 == null) return file
        // Reading a gigabyte takes seconds, so a verified file is not read again until it changes.
        val mark = File(folder.apply { mkdirs() }, file.name + CHECKED)
        val state = "${expected.sha256} ${file.length()} ${file.lastModified()}"
        if (mark.isFile && mark.readText() == state) return file
        if (file.inputStream().use { readAll(it) { _, _, _ -> } } != expected.sha256) throw ModelException(ModelProblem.Damaged)
        mark.writeText(state)
        file
    }

    /** Deletes what an earlier version of the app has left: everything but the copies of these files, given as in [copied]. */
    fun keepOnly(copies: List<Pair<ExpectedFile, String>>) {
        val kept = copies.map { (expected, extension) -> copyName(expected, extension) }
        folder.listFiles()?.filter { it.name !in kept && !it.name.endsWith(CHECKED) }?.forEach { it.delete() }
    }

    private fun copyName(expected: ExpectedFile, extension: String) = "${expected.sha256 ?: "model"}$extension"

    private inline fun wrapErrors(work: () -> File): File = try {
        work()
    } catch (error: IOException) {
        throw ModelException(ModelProblem.Unreadable(error.message ?: error.javaClass.simpleName))
    }

    /** Passes each block (bytes, length, total so far) to [onBlock] and returns the hexadecimal SHA-256 of everything read. */
    private fun readAll(input: InputStream, onBlock: (ByteArray, Int, Long) -> Unit): String {
        val digest = MessageDigest.getInstance("SHA-256")
        val block = ByteArray(BLOCK_BYTES)
        var total = 0L
        while (true) {
            val length = input.read(block)
            if (length < 0) return digest.digest().hex()
            total += length
            digest.update(block, 0, length)
            onBlock(block, length, total)
        }
    }

    private companion object {
        const val PARTIAL = "copying"
        const val CHECKED = ".checked"
        const val BLOCK_BYTES = 1 shl 20
    }
}

/** In hexadecimal. */
internal fun ByteArray.hex(): String = joinToString("") { "%02x".format(it) }
