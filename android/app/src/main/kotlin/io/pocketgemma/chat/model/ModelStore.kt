package io.pocketgemma.chat.model

import io.pocketgemma.chat.store.Store

/**
 * Owns the loaded model for the whole app: loads it when it is needed, one at a time, and frees it when memory is low. The screens show its
 * state.
 *
 * Main thread only.
 */
abstract class ModelStore : Store<ModelState, ModelEvent>(ModelState.Asleep) {
    final override fun reduce(state: ModelState, event: ModelEvent): ModelState = state.reduce(event)

    /** Loads a model now, so that the first question need not wait. Tries again after a failure. */
    abstract fun prepare(selection: Selection, options: EngineOptions)

    /**
     * Sends a question, after all earlier questions. Loads the model and adapter of the request and makes the runtime's history match it; a
     * request that continues the last one costs only its question. Returns a handle that stops it.
     */
    abstract fun ask(request: Request, listener: ReplyListener): AutoCloseable

    /** Frees the model unless a reply is in progress; the next question loads it again. For low memory. */
    abstract fun release()

    /** Frees the model permanently. */
    abstract fun close()
}

/** Loads a model after this problem, if it was about memory and the user confirmed it. */
fun ModelStore.retryAfter(problem: ModelProblem, selection: Selection, options: EngineOptions) =
    prepare(selection, options.copy(ignoreLowMemory = problem.canLoadAnyway))
