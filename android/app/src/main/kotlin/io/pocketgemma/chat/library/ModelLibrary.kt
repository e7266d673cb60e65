package io.pocketgemma.chat.library

import io.pocketgemma.chat.library.ImportedFiles.Kind
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Selection
import java.io.File

/**
 * The models and adapters on this phone. Reads the files at each call and keeps no state, so any worker thread may call it at any time.
 *
 * @param appName name of a model without a name of its own.
 * @param freeBytes returns the free space in a folder.
 */
class ModelLibrary(
    private val folders: AppFolders,
    appName: String,
    private val freeBytes: (File) -> Long = { it.usableSpace },
) {
    private val app = AppFiles(folders, appName, freeBytes)

    // First of all, clean up after an app that was ended during an operation.
    internal val imported: ImportedFiles by lazy { ImportedFiles(folders.own).also { it.sweep() }.also { app.sweep() } }

    internal fun freeBytes(): Long = freeBytes(folders.own)

    /** The whole library, as the store's event. */
    fun scan(): LibraryEvent.Loaded {
        val byApp = app.model()
        val brought = imported.list(Kind.MODEL).map { it.modelEntry() }
        // The model that is meant to be pushed can also be imported.
        val model = brought.find { it.id == byApp?.id && byApp.origin == Origin.PUSHED } ?: byApp
        val base = app.base()
        val all = (listOfNotNull(model, base) + brought).distinctBy { it.id }
        val adapters = (app.adapters() + imported.list(Kind.ADAPTER).mapNotNull { it.adapterEntry() }).distinctBy { it.id }
        val tuned = model?.let { Selection(it.id, adapters.find { adapter -> adapter.origin == Origin.APP && adapter.fits(it) }?.id) }
        val untuned = if (tuned?.adapter != null) tuned.copy(adapter = null) else base?.let { Selection(it.id) }
        return LibraryEvent.Loaded(all, adapters, app.sampleQuestions, tuned, untuned)
    }

    /** @throws ModelException the model does not exist (any more), or is yet to be pushed. */
    fun model(id: String): ModelEntry {
        val entry = scan().models.find { it.id == id }
        if (entry == null || !isHere(entry)) throw ModelException(ModelProblem.Missing(app.pushedFile.path))
        return entry
    }

    /** False for a model that is yet to be pushed. */
    internal fun isHere(entry: ModelEntry): Boolean = entry.origin != Origin.PUSHED || entry.isBase || app.pushedFile.isFile

    /** @throws ModelException the adapter does not exist (any more). */
    fun adapter(id: String): AdapterEntry =
        scan().adapters.find { it.id == id } ?: throw ModelException(ModelProblem.Missing(app.pushedFile.path))

    /** Memory in bytes that a model needs: the calculated value, or an estimate. */
    fun memoryBytes(entry: ModelEntry): Long = app.memoryBytes(entry.id) ?: MemoryRequirement.estimate(entry.bytes)

    /**
     * A verified file that the runtime can open. [onProgress] receives the share, 0 to 1, while it is copied out of the APK.
     *
     * @throws ModelException the file is damaged or missing, or there is no space for the copy.
     */
    fun file(entry: ModelEntry, onProgress: (Double) -> Unit = {}): File =
        if (entry.origin == Origin.IMPORTED) importedFile(Kind.MODEL, entry.id) else app.modelFile(entry, onProgress)

    /** @throws ModelException the file is damaged or missing, or there is no space for the copy. */
    fun file(entry: AdapterEntry): File =
        if (entry.origin == Origin.IMPORTED) importedFile(Kind.ADAPTER, entry.id) else app.adapterFile(entry)

    /** Deletes an imported file and its files in the runtime's cache. */
    fun remove(id: String) {
        for (kind in Kind.entries) imported.remove(kind, id)
        sweepCache()
    }

    /** The runtime's cache folder for a model; its files are as large as the model itself. */
    val cacheFolder: File by lazy { folders.cache.apply { mkdirs() }.also { sweepCache() } }

    /** Deletes cache files of models that no longer exist: the names of cache files start with the names of their models. */
    private fun sweepCache() {
        val here = scan().let { seen -> seen.models.map { it.id } + seen.adapters.map { it.id } }
        folders.cache.listFiles()?.filter { cached -> PREPARED.find(cached.name)?.let { it.groupValues[1] !in here } ?: false }
            ?.forEach { it.deleteRecursively() }
    }

    private fun importedFile(kind: Kind, id: String): File {
        val stored = imported.find(kind, id) ?: throw ModelException(ModelProblem.Missing(app.pushedFile.path))
        return if (stored.whole) stored.file else throw ModelException(ModelProblem.Damaged)
    }

    private fun ImportedFiles.Stored.modelEntry(): ModelEntry {
        // The model that the app was built for, but as a separate file: the app's manifest applies.
        val manifest = app.manifest.takeIf { it.sha256 == id }
        return ModelEntry(id, manifest?.name ?: info.name, info.bytes, Origin.IMPORTED, info.rank, info.baseDigest, manifest)
    }

    private fun ImportedFiles.Stored.adapterEntry(): AdapterEntry? {
        return AdapterEntry(id, info.name, info.bytes, Origin.IMPORTED, info.rank ?: return null, info.baseDigest ?: return null)
    }

    private companion object {
        /** For example <sha256>.litertlm_<time>_<length>.xnnpack_cache. */
        val PREPARED = Regex("^([0-9a-f]{64})\\.")
    }
}
