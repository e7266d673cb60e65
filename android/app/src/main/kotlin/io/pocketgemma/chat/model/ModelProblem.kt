package io.pocketgemma.chat.model

/** Why there is no model to talk to, or why a file is not taken. Each has a sentence for the person in the string resources. */
sealed interface ModelProblem {
    /** The app came without a model; [expectedPath] is where one can be put. */
    data class Missing(val expectedPath: String) : ModelProblem

    /** The file is not the one that was built or imported: cut short or changed. */
    data object Damaged : ModelProblem

    /** The file must be copied, and the phone is too full for that. */
    data class NoSpace(val neededBytes: Long) : ModelProblem

    /** Asked before loading. [tryAnyway]: it might work, when other apps give memory back. */
    data class TooLarge(val neededBytes: Long, val freeBytes: Long, val tryAnyway: Boolean) : ModelProblem

    /** Neither a .litertlm model nor an adapter. [found] says what it looks like, if that is known. */
    data class WrongKind(val found: String?) : ModelProblem

    /** An adapter that was trained on another base than any model here. */
    data object OtherBase : ModelProblem

    /** A model without inputs for adapters was to take one. */
    data object TakesNoAdapters : ModelProblem

    /** It could not be read or written; [detail] is the system's own message. */
    data class Unreadable(val detail: String) : ModelProblem

    /** The runtime refused the file; [detail] is its own message. */
    data class Unusable(val detail: String) : ModelProblem
}

/** True when the person may say that a model shall be loaded although memory seems short. */
val ModelProblem.mayBeTriedAnyway: Boolean get() = this is ModelProblem.TooLarge && tryAnyway

class ModelException(val problem: ModelProblem) : Exception(problem.toString())
