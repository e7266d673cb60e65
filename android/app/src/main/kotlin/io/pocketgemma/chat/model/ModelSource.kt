package io.pocketgemma.chat.model

import java.io.File

/** Where models come from. Worker thread only. */
interface ModelSource {
    /**
     * Loads a model. [onProgress] hears the share, 0 to 1, while its file is copied out of the app.
     *
     * @throws ModelException it is not there, damaged, too large for the memory, or refused by the runtime.
     */
    fun load(model: String, options: EngineOptions, onProgress: (Double) -> Unit): LanguageModel

    /**
     * The checked file of an adapter for this model.
     *
     * @throws ModelException it is not there, damaged, or of another base.
     */
    fun adapter(model: String, adapter: String): File
}
