package io.pocketgemma.chat.chat

import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Speed
import io.pocketgemma.chat.model.Turn

/** Everything the chat screen shows, as data. Changed only by [after]. */
data class ChatState(
    val model: ModelState = ModelState.Loading(),
    /** What is known of the model; null until its manifest has been read. */
    val manifest: ModelManifest? = null,
    val sampleQuestions: List<String> = emptyList(),
    val messages: List<Message> = emptyList(),
    /** Grows by one with each message and never shrinks, so that a late event cannot meet a newer message. */
    val nextId: Long = 0,
) {
    /** The reply under way, if any. */
    val activeReply: Message.Reply?
        get() = (messages.lastOrNull() as? Message.Reply)?.takeIf { it.status is ReplyStatus.Active }

    val canSend: Boolean
        get() = model is ModelState.Ready && activeReply == null

    /** The finished turns, as the model has to know them. A question without an answer is left out. */
    val history: List<Turn>
        get() = messages.zipWithNext().flatMap { (question, reply) ->
            if (question is Message.Question && reply is Message.Reply && reply.status is ReplyStatus.Ended && reply.text.isNotEmpty()) {
                listOf(Turn(Role.USER, question.text), Turn(Role.MODEL, reply.text))
            } else {
                emptyList()
            }
        }
}

sealed interface ModelState {
    /** [progress] is the share of the first copy, 0 to 1, or null when there is nothing to count. */
    data class Loading(val progress: Double? = null) : ModelState

    data object Ready : ModelState

    data class Failed(val problem: ModelProblem) : ModelState
}

sealed interface Message {
    val id: Long
    val text: String

    data class Question(override val id: Long, override val text: String) : Message

    data class Reply(override val id: Long, override val text: String, val status: ReplyStatus) : Message
}

sealed interface ReplyStatus {
    /** Being written. [stopping]: the person has asked to end it, the runtime has not answered yet. */
    data class Active(val stopping: Boolean = false) : ReplyStatus

    sealed interface Ended : ReplyStatus {
        val speed: Speed?
    }

    data class Complete(override val speed: Speed?) : Ended

    data class Stopped(override val speed: Speed?) : Ended

    data object ContextFull : Ended {
        override val speed: Speed? get() = null
    }

    data class Failed(val detail: String) : Ended {
        override val speed: Speed? get() = null
    }
}
