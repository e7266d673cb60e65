package io.pocketgemma.chat.ui

import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.chat.Message
import io.pocketgemma.chat.chat.ReplyStatus
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

/** What the rows show beside the conversation itself. */
data class RowOptions(
    val showsAllNumbers: Boolean = false,
    /** Replies whose numbers the person has asked for. */
    val numbersOf: Set<Long> = emptySet(),
    val carriedIsOpen: Boolean = false,
    val problem: Row.Problem? = null,
)

fun rowsOf(state: ChatState, options: RowOptions): List<Row> = buildList {
    if (state.carried.isNotEmpty()) add(Row.Carried(state.carried, options.carriedIsOpen))
    var who: String? = null
    val last = state.messages.lastIndex
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
                add(replyRow(message, newWho, options, isLast = index == last, canAsk = state.canAsk))
            }
        }
    }
    if (state.summarising) add(Row.Summarising)
    options.problem?.let(::add)
}

private fun replyRow(reply: Message.Reply, newWho: String?, options: RowOptions, isLast: Boolean, canAsk: Boolean) = Row.Reply(
    reply,
    newWho,
    showsNumbers = options.showsAllNumbers || reply.id in options.numbersOf,
    // Where it would help nothing, something better is offered.
    canRegenerate = isLast && canAsk && options.problem == null && reply.status != ReplyStatus.ContextFull,
    offersWayOn = isLast && canAsk && reply.status == ReplyStatus.ContextFull,
    isExplainedBelow = isLast && options.problem != null,
)

val Message.Reply.numbers: Numbers? get() = (status as? ReplyStatus.Ended)?.numbers
