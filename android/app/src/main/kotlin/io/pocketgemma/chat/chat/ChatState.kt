package io.pocketgemma.chat.chat

import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Numbers
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn

/** The conversation on the screen, as data. Changed only by events. */
data class ChatState(
    /** The conversation's id; a new one is stored with its first question. */
    val conversation: Long,
    /** False while the conversation is being read; nothing can be asked before. */
    val loaded: Boolean = false,
    /** Empty until the first question, whose beginning it then is, or what the person named it. */
    val title: String = "",
    val messages: List<Message> = emptyList(),
    /** A summary of an earlier conversation that this one goes on from; empty when there is none. */
    val carried: String = "",
    /** What stands in the text field. */
    val draft: String = "",
    /** The draft replaces the last question when it is sent. */
    val editing: Boolean = false,
    /** What stood in the text field before [editing], and will again after it. */
    val draftBefore: String = "",
    /** Where the list stands; null: at its end. */
    val scroll: ScrollPlace? = null,
    /** The new conversation for which the model is writing a summary of this one; null: it is not. */
    val goingOn: Long? = null,
    /** Grows by one with each message and never shrinks, so that a late event cannot meet a newer message. */
    val nextId: Long = 0,
) {
    /** The reply under way, if any. */
    val activeReply: Message.Reply?
        get() = (messages.lastOrNull() as? Message.Reply)?.takeIf { it.status is ReplyStatus.Active }

    val summarising: Boolean
        get() = goingOn != null

    val canAsk: Boolean
        get() = loaded && activeReply == null && !summarising

    val lastQuestion: Message.Question?
        get() = messages.lastOrNull { it is Message.Question } as Message.Question?

    /** The last question, when it did not fit into the model's context together with what was said before it. */
    val questionTooMany: Message.Question?
        get() = lastQuestion?.takeIf { (messages.last() as? Message.Reply)?.status == ReplyStatus.ContextFull }

    /** Nothing was said here, and there is nothing that it goes on from. */
    val isNew: Boolean
        get() = messages.isEmpty() && carried.isEmpty()

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

/** The message at the top of the screen, and how far its beginning is above it. */
data class ScrollPlace(val message: Int, val offsetDp: Int)

sealed interface Message {
    val id: Long
    val text: String

    data class Question(override val id: Long, override val text: String) : Message

    data class Reply(
        override val id: Long,
        override val text: String,
        val status: ReplyStatus,
        /** Names the model, and the adapter if there was one, as they were called then. */
        val answeredBy: String? = null,
    ) : Message
}

sealed interface ReplyStatus {
    /** Being written. [stopping]: the person has asked to end it, the runtime has not answered yet. */
    data class Active(val stopping: Boolean = false) : ReplyStatus

    sealed interface Ended : ReplyStatus {
        val numbers: Numbers? get() = null
    }

    data class Complete(override val numbers: Numbers?) : Ended

    /** Ended by the person, or with the app. */
    data class Stopped(override val numbers: Numbers?) : Ended

    data object ContextFull : Ended

    data class NoModel(val problem: ModelProblem) : Ended

    data class Failed(val detail: String) : Ended
}
