package io.pocketgemma.chat.model

/** Why there is no model to talk to. Each has a sentence for the person in strings.xml. */
sealed interface ModelProblem {
    /** The app came without a model; [expectedPath] is where one can be put. */
    data class Missing(val expectedPath: String) : ModelProblem

    /** The file is not the one that was built: cut short or changed. */
    data object Damaged : ModelProblem

    /** The model must be copied out of the app once, and the phone is too full for that. */
    data class NoSpace(val neededBytes: Long) : ModelProblem

    /** The runtime refused the file; [detail] is its own message. */
    data class Unusable(val detail: String) : ModelProblem
}

class ModelException(val problem: ModelProblem) : Exception(problem.toString())
