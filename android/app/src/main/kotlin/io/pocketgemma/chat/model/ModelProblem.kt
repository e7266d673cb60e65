package io.pocketgemma.chat.model

/** Why no model can reply, or why a file was not imported. The string resources have a message for each of them. */
sealed interface ModelProblem {
    /** The app came without a model; [expectedPath] is where one can be pushed. */
    data class Missing(val expectedPath: String) : ModelProblem

    /** The file is not the one that was built or imported: truncated or changed. */
    data object Damaged : ModelProblem

    /** The file must be copied, and there is not enough storage. */
    data class NoSpace(val neededBytes: Long) : ModelProblem

    /** Checked before loading. [tryAnyway]: loading might work if other apps free memory. */
    data class TooLarge(val neededBytes: Long, val freeBytes: Long, val tryAnyway: Boolean) : ModelProblem

    /** Neither a .litertlm model nor an adapter. [found] is the kind of the file, if known. */
    data class WrongKind(val found: String?) : ModelProblem

    /** An adapter that was trained on a base other than those of all models here. */
    data object OtherBase : ModelProblem

    /** An adapter was selected for a model without adapter inputs. */
    data object TakesNoAdapters : ModelProblem

    /** The file could not be read or written; [detail] is the system's message. */
    data class Unreadable(val detail: String) : ModelProblem

    /** The runtime refused the file; [detail] is its message. */
    data class Unusable(val detail: String) : ModelProblem
}

/** True if the user may load the model although memory seems insufficient. */
val ModelProblem.canLoadAnyway: Boolean get() = this is ModelProblem.TooLarge && tryAnyway

class ModelException(val problem: ModelProblem) : Exception(problem.toString())
