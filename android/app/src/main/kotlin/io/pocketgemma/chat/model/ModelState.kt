package io.pocketgemma.chat.model

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

/** The state after an event. Pure. */
fun ModelState.reduce(event: ModelEvent): ModelState = when (event) {
    is ModelEvent.Changed -> event.state
}
