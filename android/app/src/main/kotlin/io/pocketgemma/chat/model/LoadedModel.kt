package io.pocketgemma.chat.model

import java.io.File

/**
 * The one model in memory. Worker thread only, except for [model].
 *
 * @param report receives the state of the model.
 */
internal class LoadedModel(private val source: ModelSource, private val report: (ModelState) -> Unit) {
    /** Any thread may read it, to cancel a reply. */
    @Volatile
    var model: LanguageModel? = null
        private set

    /** The content of its conversation. */
    var conversation: RuntimeConversation? = null
        private set

    private var id: String? = null
    private var options: EngineOptions? = null

    // Models to load even if memory seems insufficient: the user is not asked again each time the model is freed.
    private val allowed = HashSet<String>()

    val onGpu: Boolean get() = model?.backend == Backend.GPU

    /**
     * Ensures that this model, and no other, is in memory.
     *
     * @throws ModelException it cannot be loaded.
     */
    fun use(selection: Selection, wanted: EngineOptions) {
        if (wanted.ignoreLowMemory) allow(selection.model)
        val options = wanted.copy(ignoreLowMemory = false)
        if (model == null || id != selection.model || options != this.options) load(selection.model, options)
        tellReady(selection)
    }

    /** From now on, loads this model even if memory seems insufficient. */
    fun allow(model: String) {
        allowed += model
    }

    /** @throws ModelException it does not exist, is damaged, or belongs to another base. */
    fun adapter(selection: Selection): File? = selection.adapter?.let { source.adapter(selection.model, it) }

    /** Reloads the current model for the CPU, because the GPU turned out not to work. */
    fun fallBack(selection: Selection) {
        free()
        keep(selection.model, checkNotNull(options), Backend.CPU)
        tellReady(selection)
    }

    /** Returns false if no model was loaded. */
    fun free(): Boolean {
        val freed = model ?: return false
        model = null
        conversation = null
        freed.close()
        return true
    }

    private fun load(id: String, options: EngineOptions) {
        free()
        report(ModelState.Loading())
        try {
            keep(id, options, options.backend)
        } catch (error: ModelException) {
            // Only an error of the runtime can be caused by the GPU.
            if (options.backend != Backend.GPU || error.problem !is ModelProblem.Unusable) throw error
            keep(id, options, Backend.CPU)
        }
    }

    private fun keep(id: String, options: EngineOptions, backend: Backend) {
        var shown = 0.0
        val loaded = source.load(id, options.copy(backend = backend, ignoreLowMemory = id in allowed)) { share ->
            if (share - shown >= PROGRESS_STEP || share >= 1) {
                shown = share
                report(ModelState.Loading(share))
            }
        }
        this.id = id
        this.options = options
        model = loaded
        conversation = RuntimeConversation(loaded)
    }

    private fun tellReady(selection: Selection) {
        val backend = checkNotNull(model).backend
        report(ModelState.Ready(selection, backend, fellBack = options?.backend == Backend.GPU && backend == Backend.CPU))
    }

    private companion object {
        const val PROGRESS_STEP = 0.01
    }
}
