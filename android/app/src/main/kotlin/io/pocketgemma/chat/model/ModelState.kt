package io.pocketgemma.chat.model

sealed interface ModelState {
    /** No model is in memory; the next question loads it. */
    data object Asleep : ModelState

    /** [progress] is the share of the first copy, 0 to 1, or null if it is indeterminate. */
    data class Loading(val progress: Double? = null) : ModelState

    /** [fellBack]: the GPU was selected and did not work, so the CPU is used. */
    data class Ready(val selection: Selection, val backend: Backend, val fellBack: Boolean = false) : ModelState

    data class Failed(val selection: Selection, val problem: ModelProblem) : ModelState
}

/** What the model host reports. */
sealed interface ModelEvent {
    data class Changed(val state: ModelState) : ModelEvent
}

/** The state after an event. Pure. */
fun ModelState.reduce(event: ModelEvent): ModelState = when (event) {
    is ModelEvent.Changed -> event.state
}
