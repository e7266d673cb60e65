package io.pocketgemma.chat.model

import io.pocketgemma.chat.Store
import java.io.File

/** Who answers: a model, alone or with an adapter. Ids are those of the library. */
data class Selection(val model: String, val adapter: String? = null)

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

sealed interface ModelState {
    /** Nothing is in memory; the next question loads it. */
    data object Asleep : ModelState

    /** [progress] is the share of the first copy, 0 to 1, or null when there is nothing to count. */
    data class Loading(val progress: Double? = null) : ModelState

    /** [fellBack]: the GPU was wanted and did not work, so the processor answers. */
    data class Ready(val selection: Selection, val backend: Backend, val fellBack: Boolean = false) : ModelState

    data class Failed(val selection: Selection, val problem: ModelProblem) : ModelState
}

/** What the host reports about the model. */
sealed interface ModelEvent {
    data class Changed(val state: ModelState) : ModelEvent
}

/** One question to one model. */
data class Request(
    val selection: Selection,
    val options: EngineOptions,
    val setup: Setup,
    val question: String,
    /** Leave out the oldest turns of the history when all of it does not fit. */
    val dropOldest: Boolean = false,
)

/** Hears a reply, on the main thread. */
interface ReplyListener {
    /** [text] is all of the reply so far; called at most every 50 ms. */
    fun grew(text: String)

    fun ended(text: String, end: ReplyEnd)
}

/**
 * Owns the loaded model for the whole app: loads it when it is wanted, one at a time, and frees it when memory is short. Its state is what
 * the screens show of it.
 *
 * Main thread only.
 */
abstract class ModelHost(initial: ModelState) : Store<ModelState, ModelEvent>(initial) {
    /** Loads a model now, so that the first question need not wait. A failed one is tried again. */
    abstract fun prepare(selection: Selection, options: EngineOptions)

    /**
     * Asks, after every question asked before. The model, the adapter and the history inside the runtime are made what the request says; a
     * request that goes on where the last one ended costs nothing but its question. Returns what stops it.
     */
    abstract fun ask(request: Request, listener: ReplyListener): AutoCloseable

    /** Frees the model unless it is answering; the next question loads it again. For when memory is short. */
    abstract fun release()

    /** Frees the model for good. */
    abstract fun close()
}
