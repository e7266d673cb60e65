package io.pocketgemma.chat.library

import java.io.File
import java.io.IOException
import org.json.JSONException
import org.json.JSONObject

/** What is known of an imported file without opening it. */
internal data class ImportedFileInfo(val name: String, val bytes: Long, val rank: Int? = null, val baseDigest: String? = null)

/**
 * The files that the user imported, each named by its SHA-256, with a small file that records its display name. A file gets its name only
 * when it is complete and verified. Worker threads only.
 *
 * @param root a private folder of the app.
 */
internal class ImportedFiles(private val root: File) {
    enum class Kind(val folder: String, val extension: String) { MODEL("models", MODEL_EXTENSION), ADAPTER("adapters", ADAPTER_EXTENSION) }

    class Stored(val id: String, val file: File, val info: ImportedFileInfo) {
        /** False if the file was truncated since. */
        val whole: Boolean get() = file.length() == info.bytes
    }

    private val incoming = File(root, "incoming")

    /** Deletes the remains of an import that was interrupted when the app ended. Before the first import only. */
    fun sweep() {
        incoming.listFiles()?.forEach { it.delete() }
        for (kind in Kind.entries) {
            val files = folder(kind).listFiles().orEmpty()
            // The small file is written first: if it exists alone, the import was never completed, or the file was being deleted.
            files.filter { if (it.name.endsWith(INFO_EXTENSION)) !fileOf(it, kind).isFile else read(infoFileOf(it)) == null }.forEach { it.delete() }
        }
    }

    /** Sorted by name. */
    fun list(kind: Kind): List<Stored> = folder(kind).listFiles().orEmpty()
        .filter { it.name.endsWith(kind.extension) && ID.matches(it.name.removeSuffix(kind.extension)) }
        .mapNotNull { file -> read(infoFileOf(file))?.let { Stored(file.name.removeSuffix(kind.extension), file, it) } }
        .sortedWith(compareBy(String.CASE_INSENSITIVE_ORDER) { stored: Stored -> stored.info.name }.thenBy { it.id })

    fun find(kind: Kind, id: String): Stored? = list(kind).find { it.id == id }

    /** A new file for an import in progress. */
    fun partial(): File = File.createTempFile("import", null, incoming.apply { mkdirs() })

    /** Adds a complete and verified [partial] to the library. */
    fun add(kind: Kind, id: String, partial: File, info: ImportedFileInfo) {
        require(ID.matches(id)) { "no sha256: $id" }
        val folder = folder(kind).apply { mkdirs() }
        val target = File(folder, id + kind.extension)
        val description = partial()
        try {
            description.outputStream().use { out ->
                out.write(write(info).toByteArray())
                out.fd.sync()
            }
            rename(description, infoFileOf(target))
            rename(partial, target)
        } finally {
            description.delete()
        }
    }

    /** Deletes a file; false when there is none. */
    fun remove(kind: Kind, id: String): Boolean {
        val stored = find(kind, id) ?: return false
        return stored.file.delete().also { infoFileOf(stored.file).delete() }
    }

    private fun rename(from: File, to: File) {
        if (!from.renameTo(to)) throw IOException("cannot rename ${from.name} to ${to.name}")
    }

    private fun folder(kind: Kind) = File(root, kind.folder)

    private fun infoFileOf(file: File) = File(file.parentFile, file.name.substringBefore('.') + INFO_EXTENSION)

    private fun fileOf(info: File, kind: Kind) = File(info.parentFile, info.name.removeSuffix(INFO_EXTENSION) + kind.extension)

    private fun write(info: ImportedFileInfo): String = JSONObject()
        .put("name", info.name)
        .put("bytes", info.bytes)
        .putOpt("rank", info.rank)
        .putOpt("base_digest", info.baseDigest)
        .toString()

    private fun read(file: File): ImportedFileInfo? = try {
        val entries = JSONObject(file.readText())
        ImportedFileInfo(
            name = entries.getString("name"),
            bytes = entries.getLong("bytes"),
            rank = entries.optInt("rank").takeIf { it > 0 },
            baseDigest = entries.optString("base_digest").ifEmpty { null },
        )
    } catch (_: IOException) {
        null
    } catch (_: JSONException) {
        null
    }

    private companion object {
        const val INFO_EXTENSION = ".json"
        val ID = Regex("[0-9a-f]{64}")
    }
}
