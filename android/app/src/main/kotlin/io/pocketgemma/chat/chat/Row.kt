package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyMetrics

/** The rows of the message list from top to bottom, as data: equal rows look the same. */
sealed interface Row {
    /** Rows with the same key are the same row before and after a change. */
    val key: Any

    /** The summary of an earlier conversation that this one continues. */
    data class Summary(val summary: String, val isOpen: Boolean) : Row {
        override val key get() = "summary"
    }

    data class Question(
        val question: Message.Question,
        val canEdit: Boolean,
        /** The composer contains it for editing. */
        val isEdited: Boolean,
    ) : Row {
        override val key get() = question.id
    }

    data class Reply(
        val reply: Message.Reply,
        /** The name of the model if it changed with this reply; null: the same as before. */
        val newModelName: String?,
        val showsMetrics: Boolean,
        val canRegenerate: Boolean,
        /** What did not fit into the model's context; null: everything fit. */
        val tooLong: TooLong?,
        /** The context is full, and the conversation can continue in another one. */
        val offersNewChat: Boolean,
        /** The row below explains why there is no model. */
        val isExplainedBelow: Boolean,
    ) : Row {
        override val key get() = reply.id
    }

    /** The model is writing a summary to continue from. */
    data object Summarising : Row {
        override val key get() = "summarising"
    }

    /** Why no model can reply; null: there is no model at all. */
    data class Problem(val problem: ModelProblem?) : Row {
        override val key get() = "problem"
    }
}

/** What is too long for the model's context. */
enum class TooLong {
    /** The earlier messages together with the question. */
    CHAT,

    /** The question, which was sent alone. */
    QUESTION,

    /** The question and the system prompt, which were sent without anything else. */
    QUESTION_AND_INSTRUCTION,
}

/** Settings of the rows in addition to the conversation. */
data class RowOptions(
    val showsAllMetrics: Boolean = false,
    /** Replies whose statistics the user has opened. */
    val metricsOf: Set<Long> = emptySet(),
    val summaryIsOpen: Boolean = false,
    val problem: Row.Problem? = null,
    /** The model receives the earlier messages; otherwise, single questions. */
    val remembersChat: Boolean = true,
    /** The model receives a system prompt. */
    val hasInstruction: Boolean = false,
)

fun rowsOf(state: ChatState, options: RowOptions): List<Row> = buildList {
    if (state.summary.isNotEmpty()) add(Row.Summary(state.summary, options.summaryIsOpen))
    var who: String? = null
    val lastQuestion = state.lastQuestion
    state.messages.forEachIndexed { index, message ->
        when (message) {
            is Message.Question -> {
                val isLast = message == lastQuestion
                add(Row.Question(message, isLast && state.canAsk && !state.editing, isLast && state.editing))
            }
            is Message.Reply -> {
                val newModelName = message.answeredBy?.takeIf { who != null && it != who }
                who = message.answeredBy ?: who
                add(state.replyRow(index, newModelName, options))
            }
        }
    }
    if (state.summarising) add(Row.Summarising)
    options.problem?.let(::add)
}

/** If a reply started before the context was full, its question did fit. */
private fun ChatState.tooLong(index: Int, options: RowOptions): TooLong? {
    val reply = messages[index] as Message.Reply
    return when {
        reply.status != ReplyStatus.ContextFull -> null
        reply.text.isNotEmpty() || isSentMore(index, options) -> TooLong.CHAT
        options.hasInstruction -> TooLong.QUESTION_AND_INSTRUCTION
        else -> TooLong.QUESTION
    }
}

/** Whether the model received more than the question for this reply, part of which a new conversation could leave out. */
private fun ChatState.isSentMore(index: Int, options: RowOptions): Boolean =
    summary.isNotEmpty() || options.remembersChat && copy(messages = messages.take(index)).history.isNotEmpty()

private fun ChatState.replyRow(index: Int, newModelName: String?, options: RowOptions): Row.Reply {
    val reply = messages[index] as Message.Reply
    val isLast = index == messages.lastIndex
    val isFull = reply.status == ReplyStatus.ContextFull
    return Row.Reply(
        reply,
        newModelName,
        showsMetrics = options.showsAllMetrics || reply.id in options.metricsOf,
        // Where continuing would not help, the caption suggests something better.
        canRegenerate = isLast && canAsk && options.problem == null && !isFull,
        tooLong = tooLong(index, options),
        // A question that is too long by itself would not fit into a new conversation either.
        offersNewChat = isLast && canAsk && isFull && isSentMore(index, options),
        isExplainedBelow = isLast && options.problem != null,
    )
}

val Message.Reply.metrics: ReplyMetrics? get() = (status as? ReplyStatus.Ended)?.metrics
