package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelSource
import java.io.File

/**
 * Opens models of the library after checking that they fit into the phone's memory.
 *
 * @param open creates the runtime.
 */
class LibraryModelSource(
    private val library: ModelLibrary,
    private val memory: MemoryGauge,
    private val open: (model: File, cache: File, options: EngineOptions) -> LanguageModel,
) : ModelSource {
    override fun load(model: String, options: EngineOptions, onProgress: (Double) -> Unit): LanguageModel {
        val entry = library.model(model)
        val need = library.memoryBytes(entry)
        MemoryRequirement.problem(need, memory.read(), options.ignoreLowMemory)?.let { throw ModelException(it) }
        return open(library.file(entry, onProgress), library.cacheFolder, options)
    }

    override fun adapter(model: String, adapter: String): File {
        val taker = library.model(model)
        val entry = library.adapter(adapter)
        if (taker.adapterRank == null) throw ModelException(ModelProblem.TakesNoAdapters)
        if (!entry.fits(taker)) throw ModelException(ModelProblem.OtherBase)
        return library.file(entry)
    }
}
