package io.pocketgemma.chat.conversation

import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyMetrics

/** The message at the top of the screen, and the distance of its start above it. */
data class ScrollPosition(val message: Int, val offsetDp: Int)

sealed interface Message {
    val id: Long
    val text: String

    data class Question(override val id: Long, override val text: String) : Message

    data class Reply(
        override val id: Long,
        override val text: String,
        val status: ReplyStatus,
        /** The names of the model and of the adapter, if any, at that time. */
        val answeredBy: String? = null,
    ) : Message
}

sealed interface ReplyStatus {
    /** Being generated. [stopping]: the user has stopped it, but the runtime has not confirmed this yet. */
    data class Active(val stopping: Boolean = false) : ReplyStatus

    sealed interface Ended : ReplyStatus {
        val metrics: ReplyMetrics? get() = null
    }

    data class Complete(override val metrics: ReplyMetrics?) : Ended

    /** Stopped by the user, or with the app. */
    data class Stopped(override val metrics: ReplyMetrics?) : Ended

    data object ContextFull : Ended

    data class NoModel(val problem: ModelProblem) : Ended

    data class Failed(val detail: String) : Ended
}

/** The status that represents the end of a reply. */
fun ReplyEnd.status(): ReplyStatus.Ended = when (this) {
    is ReplyEnd.Complete -> ReplyStatus.Complete(metrics)
    is ReplyEnd.Stopped -> ReplyStatus.Stopped(metrics)
    ReplyEnd.ContextFull -> ReplyStatus.ContextFull
    is ReplyEnd.NoModel -> ReplyStatus.NoModel(problem)
    is ReplyEnd.Failed -> ReplyStatus.Failed(detail)
}
