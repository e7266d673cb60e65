package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Numbers

/** What the list of messages shows, from top to bottom, as data: rows that are equal look the same. */
sealed interface Row {
    /** Rows of one key are the same row before and after a change. */
    val key: Any

    /** The summary of an earlier conversation that this one goes on from. */
    data class Carried(val summary: String, val isOpen: Boolean) : Row {
        override val key get() = "carried"
    }

    data class Question(
        val question: Message.Question,
        val canEdit: Boolean,
        /** The text field holds it, to be changed. */
        val isEdited: Boolean,
    ) : Row {
        override val key get() = question.id
    }

    data class Reply(
        val reply: Message.Reply,
        /** Who answers from here on; null: the same as before. */
        val newWho: String?,
        val showsNumbers: Boolean,
        val canRegenerate: Boolean,
        /** What did not fit into the model's context; null: it all did. */
        val tooLong: TooLong?,
        /** The context is full here, and the conversation can go on in another one. */
        val offersWayOn: Boolean,
        /** The row below says why there is no model. */
        val isExplainedBelow: Boolean,
    ) : Row {
        override val key get() = reply.id
    }

    /** The model is writing a summary to go on with. */
    data object Summarising : Row {
        override val key get() = "summarising"
    }

    /** Why nobody can answer; null: because there is no model at all. */
    data class Problem(val problem: ModelProblem?) : Row {
        override val key get() = "problem"
    }
}

/** What is longer than the model can keep in mind. */
enum class TooLong {
    /** What was said before, together with the question. */
    CHAT,

    /** The question, with which nothing else was sent. */
    QUESTION,

    /** The question and the person's standing instruction, with which nothing else was sent. */
    QUESTION_AND_INSTRUCTION,
}

/** What the rows show beside the conversation itself. */
data class RowOptions(
    val showsAllNumbers: Boolean = false,
    /** Replies whose numbers the person has asked for. */
    val numbersOf: Set<Long> = emptySet(),
    val carriedIsOpen: Boolean = false,
    val problem: Row.Problem? = null,
    /** The model is sent what was said before; otherwise single questions. */
    val remembersChat: Boolean = true,
    /** The model is sent a standing instruction. */
    val hasInstruction: Boolean = false,
)

fun rowsOf(state: ChatState, options: RowOptions): List<Row> = buildList {
    if (state.carried.isNotEmpty()) add(Row.Carried(state.carried, options.carriedIsOpen))
    var who: String? = null
    val lastQuestion = state.lastQuestion
    state.messages.forEachIndexed { index, message ->
        when (message) {
            is Message.Question -> {
                val isLast = message == lastQuestion
                add(Row.Question(message, isLast && state.canAsk && !state.editing, isLast && state.editing))
            }
            is Message.Reply -> {
                val newWho = message.answeredBy?.takeIf { who != null && it != who }
                who = message.answeredBy ?: who
                add(state.replyRow(index, newWho, options))
            }
        }
    }
    if (state.summarising) add(Row.Summarising)
    options.problem?.let(::add)
}

/** A reply that began and then found no room left says that its question did fit. */
private fun ChatState.tooLong(index: Int, options: RowOptions): TooLong? {
    val reply = messages[index] as Message.Reply
    return when {
        reply.status != ReplyStatus.ContextFull -> null
        reply.text.isNotEmpty() || isSentMore(index, options) -> TooLong.CHAT
        options.hasInstruction -> TooLong.QUESTION_AND_INSTRUCTION
        else -> TooLong.QUESTION
    }
}

/** Whether more than its question went to the model for this reply, of which another conversation could leave something out. */
private fun ChatState.isSentMore(index: Int, options: RowOptions): Boolean =
    carried.isNotEmpty() || options.remembersChat && copy(messages = messages.take(index)).history.isNotEmpty()

private fun ChatState.replyRow(index: Int, newWho: String?, options: RowOptions): Row.Reply {
    val reply = messages[index] as Message.Reply
    val isLast = index == messages.lastIndex
    val isFull = reply.status == ReplyStatus.ContextFull
    return Row.Reply(
        reply,
        newWho,
        showsNumbers = options.showsAllNumbers || reply.id in options.numbersOf,
        // Where it would help nothing, something better is offered.
        canRegenerate = isLast && canAsk && options.problem == null && !isFull,
        tooLong = tooLong(index, options),
        // Alone in a new conversation, a question that is too long by itself would not fit either.
        offersWayOn = isLast && canAsk && isFull && isSentMore(index, options),
        isExplainedBelow = isLast && options.problem != null,
    )
}

val Message.Reply.numbers: Numbers? get() = (status as? ReplyStatus.Ended)?.numbers
