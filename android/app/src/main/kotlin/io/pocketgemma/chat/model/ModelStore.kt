package io.pocketgemma.chat.model

import io.pocketgemma.chat.store.Store

/**
 * Owns the loaded model for the whole app: loads it when it is wanted, one at a time, and frees it when memory is short. Its state is what
 * the screens show of it.
 *
 * Main thread only.
 */
abstract class ModelStore : Store<ModelState, ModelEvent>(ModelState.Asleep) {
    final override fun reduce(state: ModelState, event: ModelEvent): ModelState = state.reduce(event)

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

/** Loads a model after this problem, if the person was asked about its memory in spite of that. */
fun ModelStore.loadAfter(problem: ModelProblem, selection: Selection, options: EngineOptions) =
    prepare(selection, options.copy(despiteMemory = problem.mayBeTriedAnyway))
