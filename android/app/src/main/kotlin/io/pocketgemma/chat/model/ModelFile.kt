package io.pocketgemma.chat.model

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest

/**
 * Finds the model as a file that the runtime can open, and makes sure that it is the one the manifest names.
 *
 * A model inside the APK is copied once to [privateFolder] under its digest: the runtime maps a file of its own, and a new app
 * version with another model never meets the old copy. A model too big for the APK is looked for in [pushFolder].
 *
 * @param openAsset opens the model inside the APK, or returns null when there is none.
 * @param freeBytes asks how much room is left in a folder.
 */
class ModelFile(
    private val privateFolder: File,
    private val pushFolder: File?,
    private val openAsset: () -> InputStream?,
    private val freeBytes: (File) -> Long = { it.usableSpace },
) {
    /**
     * Returns the checked file. [onProgress] hears the copied share, 0 to 1, while copying.
     *
     * @throws ModelException the model is missing or damaged, or there is no room to copy it.
     */
    fun locate(manifest: ModelManifest, onProgress: (Double) -> Unit): File = try {
        openAsset()?.use { copyOnce(it, manifest, onProgress) } ?: pushed(manifest)
    } catch (error: IOException) {
        throw ModelException(ModelProblem.Unusable(error.message ?: error.javaClass.simpleName))
    }

    private fun copyOnce(asset: InputStream, manifest: ModelManifest, onProgress: (Double) -> Unit): File {
        privateFolder.mkdirs()
        val target = File(privateFolder, "${manifest.sha256 ?: "model"}$SUFFIX")
        // Only a whole, checked copy ever gets this name; a length that differs means that something cut it afterwards.
        if (target.isFile && manifest.sha256 != null && target.length() == manifest.bytes) return target
        privateFolder.listFiles()?.forEach { it.delete() }
        manifest.bytes?.let { needed ->
            if (freeBytes(privateFolder) < needed) throw ModelException(ModelProblem.NoSpace(needed))
        }
        val partial = File(privateFolder, "copying")
        try {
            val digest = partial.outputStream().use { out ->
                readAll(asset) { block, length, total ->
                    out.write(block, 0, length)
                    manifest.bytes?.let { onProgress((total.toDouble() / it).coerceAtMost(1.0)) }
                }
            }
            if (manifest.sha256 != null && digest != manifest.sha256) throw ModelException(ModelProblem.Damaged)
            if (!partial.renameTo(target)) throw IOException("cannot rename $partial")
        } finally {
            partial.delete()
        }
        return target
    }

    private fun pushed(manifest: ModelManifest): File {
        val file = File(pushFolder ?: privateFolder, PUSHED_NAME)
        if (!file.isFile) throw ModelException(ModelProblem.Missing(file.path))
        if (manifest.bytes != null && file.length() != manifest.bytes) throw ModelException(ModelProblem.Damaged)
        if (manifest.sha256 == null) return file
        // Reading a gigabyte takes seconds, so a file that was checked is not read again until it changes.
        val mark = File(privateFolder.apply { mkdirs() }, "pushed.checked")
        val state = "${manifest.sha256} ${file.length()} ${file.lastModified()}"
        if (mark.isFile && mark.readText() == state) return file
        if (file.inputStream().use { readAll(it) { _, _, _ -> } } != manifest.sha256) throw ModelException(ModelProblem.Damaged)
        mark.writeText(state)
        return file
    }

    /** Hands each block (bytes, length, total so far) to [onBlock] and returns the hexadecimal sha256 of everything read. */
    private fun readAll(input: InputStream, onBlock: (ByteArray, Int, Long) -> Unit): String {
        val digest = MessageDigest.getInstance("SHA-256")
        val block = ByteArray(BLOCK_BYTES)
        var total = 0L
        while (true) {
            val length = input.read(block)
            if (length < 0) return digest.digest().joinToString("") { "%02x".format(it) }
            total += length
            digest.update(block, 0, length)
            onBlock(block, length, total)
        }
    }

    companion object {
        /** The name that `adb push` gives a model too big for the APK (pipeline/apk/adb.py). */
        const val PUSHED_NAME = "model.litertlm"
        private const val SUFFIX = ".litertlm"
        private const val BLOCK_BYTES = 1 shl 20
    }
}
