package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Selection

/** Where a file came from. Files that came with the app cannot be deleted. */
enum class Origin { APP, PUSHED, IMPORTED }

/** A model that can reply. */
data class ModelEntry(
    /** Hexadecimal SHA-256 of the file; a pushed or unknown one without a manifest has an id of its own. */
    val id: String,
    val name: String,
    val bytes: Long,
    val origin: Origin,
    /** Rank of the adapters that it supports; null: none. */
    val adapterRank: Int? = null,
    /** Identifies the base that its adapters were trained on. */
    val baseDigest: String? = null,
    /** Its manifest; only models that came with the app have one. */
    val manifest: ModelManifest? = null,
    /** True for the base of the tuned model, included for before / after. */
    val isBase: Boolean = false,
)

/** A fine-tune as a separate file, for models of its base. */
data class AdapterEntry(
    /** Hexadecimal SHA-256 of the file. */
    val id: String,
    val name: String,
    val bytes: Long,
    val origin: Origin,
    val rank: Int,
    val baseDigest: String,
) {
    fun fits(model: ModelEntry): Boolean = model.adapterRank == rank && model.baseDigest == baseDigest
}

/** A file being imported. */
data class Import(
    val name: String,
    /** 0 to 1, or null if the other app does not report the length. */
    val share: Double? = null,
)

data class LibraryState(
    /** False until the files have been read. */
    val loaded: Boolean = false,
    /** Number of requests to read the files. */
    val scans: Int = 0,
    val models: List<ModelEntry> = emptyList(),
    val adapters: List<AdapterEntry> = emptyList(),
    val sampleQuestions: List<String> = emptyList(),
    /** The tuned model that the app was built for. Null: the app came without a model. */
    val tuned: Selection? = null,
    /** The same model without its fine-tune, if available. */
    val base: Selection? = null,
    val importing: Import? = null,
    /** Id of the last import, to be shown to the user. */
    val imported: String? = null,
    /** Why the last import was refused, with the file's name. */
    val refused: Refused? = null,
) {
    data class Refused(val name: String, val problem: ModelProblem)

    fun model(id: String?): ModelEntry? = models.find { it.id == id }

    fun adapter(id: String?): AdapterEntry? = adapters.find { it.id == id }

    fun adaptersFor(model: ModelEntry): List<AdapterEntry> = adapters.filter { it.fits(model) }

    /**
     * [wanted] if it (still) exists; otherwise what came with the app, or any model. If the adapter no longer exists and the model came
     * with one, the model is not used without an adapter: the user has not selected the base.
     */
    fun present(wanted: Selection?): Selection? {
        val model = model(wanted?.model) ?: return tuned ?: models.firstOrNull()?.let { Selection(it.id) }
        val adapter = adapter(wanted?.adapter)?.takeIf { it.fits(model) }
        if (wanted?.adapter != null && adapter == null && tuned?.model == model.id) return tuned
        return Selection(model.id, adapter?.id)
    }
}

sealed interface LibraryEvent {
    /** Reads the files again. */
    data object Refresh : LibraryEvent

    data class Loaded(
        val models: List<ModelEntry>,
        val adapters: List<AdapterEntry>,
        val sampleQuestions: List<String>,
        val tuned: Selection?,
        val base: Selection?,
    ) : LibraryEvent

    /** Imports the file behind a content URI from the system's file picker. */
    data class ImportFile(val uri: String) : LibraryEvent

    data object CancelImport : LibraryEvent

    data class ImportProgress(val import: Import) : LibraryEvent

    data class Imported(val id: String) : LibraryEvent

    data class ImportRefused(val name: String, val problem: ModelProblem) : LibraryEvent

    /** The user has seen the result of the import. */
    data object Noted : LibraryEvent

    data class Remove(val id: String) : LibraryEvent
}

/** The state after an event. Pure. */
fun LibraryState.reduce(event: LibraryEvent): LibraryState = when (event) {
    LibraryEvent.Refresh -> copy(scans = scans + 1)
    is LibraryEvent.Loaded -> copy(
        loaded = true,
        models = event.models,
        adapters = event.adapters,
        sampleQuestions = event.sampleQuestions,
        tuned = event.tuned,
        base = event.base,
    )
    is LibraryEvent.ImportFile ->
        if (importing == null) copy(importing = Import(""), imported = null, refused = null) else this
    LibraryEvent.CancelImport -> copy(importing = null)
    is LibraryEvent.ImportProgress -> if (importing == null) this else copy(importing = event.import)
    is LibraryEvent.Imported -> copy(importing = null, imported = event.id, refused = null)
    is LibraryEvent.ImportRefused ->
        copy(importing = null, imported = null, refused = LibraryState.Refused(event.name, event.problem))
    LibraryEvent.Noted -> copy(imported = null, refused = null)
    is LibraryEvent.Remove -> copy(
        models = models.filterNot { it.id == event.id && it.origin == Origin.IMPORTED },
        adapters = adapters.filterNot { it.id == event.id && it.origin == Origin.IMPORTED },
    )
}
