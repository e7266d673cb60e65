package io.pocketgemma.chat.model

import java.io.File

/** The source of models. Worker thread only. */
interface ModelSource {
    /**
     * Loads a model. [onProgress] receives the share, 0 to 1, while its file is copied out of the APK.
     *
     * @throws ModelException it does not exist, is damaged, too large for the memory, or refused by the runtime.
     */
    fun load(model: String, options: EngineOptions, onProgress: (Double) -> Unit): LanguageModel

    /**
     * The verified file of an adapter for this model.
     *
     * @throws ModelException it does not exist, is damaged, or belongs to another base.
     */
    fun adapter(model: String, adapter: String): File
}
