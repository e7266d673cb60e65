package io.pocketgemma.chat.library

import io.pocketgemma.chat.library.ImportedFiles.Kind
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Selection
import java.io.File

/**
 * The models and adapters on this phone. It looks at the files each time and remembers nothing, so any worker thread may ask at any time.
 *
 * @param appName what a model is called that nobody has named.
 * @param freeBytes asks how much room is left in a folder.
 */
class ModelLibrary(
    private val places: Places,
    appName: String,
    private val freeBytes: (File) -> Long = { it.usableSpace },
) {
    private val app = AppFiles(places, appName, freeBytes)

    // Before anything else: what an app that was ended in the middle of something has left behind.
    internal val imported: ImportedFiles by lazy { ImportedFiles(places.own).also { it.sweep() }.also { app.sweep() } }

    internal fun freeBytes(): Long = freeBytes(places.own)

    /** All that is here, as the store's event. */
    fun look(): LibraryEvent.Loaded {
        val byApp = app.model()
        val brought = imported.list(Kind.MODEL).map { it.modelEntry() }
        // The model that should be pushed can be imported just as well.
        val model = brought.find { it.id == byApp?.id && byApp.origin == Origin.PUSHED } ?: byApp
        val base = app.base()
        val all = (listOfNotNull(model, base) + brought).distinctBy { it.id }
        val adapters = (app.adapters() + imported.list(Kind.ADAPTER).mapNotNull { it.adapterEntry() }).distinctBy { it.id }
        val tuned = model?.let { Selection(it.id, adapters.find { adapter -> adapter.origin == Origin.APP && adapter.fits(it) }?.id) }
        val untuned = if (tuned?.adapter != null) tuned.copy(adapter = null) else base?.let { Selection(it.id) }
        return LibraryEvent.Loaded(all, adapters, app.sampleQuestions, tuned, untuned)
    }

    /** @throws ModelException there is no such model (any more), or it is still to be pushed. */
    fun model(id: String): ModelEntry {
        val entry = look().models.find { it.id == id }
        if (entry == null || !isHere(entry)) throw ModelException(ModelProblem.Missing(app.pushedFile.path))
        return entry
    }

    /** False for a model that is still to be pushed. */
    internal fun isHere(entry: ModelEntry): Boolean = entry.origin != Origin.PUSHED || entry.isBase || app.pushedFile.isFile

    /** @throws ModelException there is no such adapter (any more). */
    fun adapter(id: String): AdapterEntry =
        look().adapters.find { it.id == id } ?: throw ModelException(ModelProblem.Missing(app.pushedFile.path))

    /** Bytes of memory that a model takes: as it was worked out, or else an estimate. */
    fun memoryBytes(entry: ModelEntry): Long = app.memoryBytes(entry.id) ?: MemoryNeed.estimate(entry.bytes)

    /**
     * A checked file that the runtime can open. [onProgress] hears the share, 0 to 1, while it is copied out of the app.
     *
     * @throws ModelException it is damaged or gone, or there is no room for the copy.
     */
    fun file(entry: ModelEntry, onProgress: (Double) -> Unit = {}): File =
        if (entry.origin == Origin.IMPORTED) importedFile(Kind.MODEL, entry.id) else app.modelFile(entry, onProgress)

    /** @throws ModelException it is damaged or gone, or there is no room for the copy. */
    fun file(entry: AdapterEntry): File =
        if (entry.origin == Origin.IMPORTED) importedFile(Kind.ADAPTER, entry.id) else app.adapterFile(entry)

    /** Deletes an imported file and what the runtime has prepared of it. */
    fun remove(id: String) {
        for (kind in Kind.entries) imported.remove(kind, id)
        sweepCache()
    }

    /** The runtime's folder for what it prepares of a model, which is as large as the model itself. */
    val cacheFolder: File by lazy { places.cache.apply { mkdirs() }.also { sweepCache() } }

    /** Deletes what the runtime has prepared of files that are not here any more: those of its files that begin with their names. */
    private fun sweepCache() {
        val here = look().let { seen -> seen.models.map { it.id } + seen.adapters.map { it.id } }
        places.cache.listFiles()?.filter { cached -> PREPARED.find(cached.name)?.let { it.groupValues[1] !in here } ?: false }
            ?.forEach { it.deleteRecursively() }
    }

    private fun importedFile(kind: Kind, id: String): File {
        val stored = imported.find(kind, id) ?: throw ModelException(ModelProblem.Missing(app.pushedFile.path))
        return if (stored.whole) stored.file else throw ModelException(ModelProblem.Damaged)
    }

    private fun ImportedFiles.Stored.modelEntry(): ModelEntry {
        // A model that the app was built for and that came as a file: all that the app says about it holds.
        val manifest = app.manifest.takeIf { it.sha256 == id }
        return ModelEntry(id, manifest?.name ?: about.name, about.bytes, Origin.IMPORTED, about.rank, about.baseDigest, manifest)
    }

    private fun ImportedFiles.Stored.adapterEntry(): AdapterEntry? {
        return AdapterEntry(id, about.name, about.bytes, Origin.IMPORTED, about.rank ?: return null, about.baseDigest ?: return null)
    }

    private companion object {
        /** As in <sha256>.litertlm_<time>_<length>.xnnpack_cache. */
        val PREPARED = Regex("^([0-9a-f]{64})\\.")
    }
}
