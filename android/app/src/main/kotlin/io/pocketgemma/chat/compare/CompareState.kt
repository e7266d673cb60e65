package io.pocketgemma.chat.compare

import io.pocketgemma.chat.chat.ReplyStatus
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Selection

enum class Side { BEFORE, AFTER }

/** One question to two who answer, side by side. */
data class CompareState(
    val before: Answer = Answer(),
    val after: Answer = Answer(),
    /** What was asked last; empty before the first. */
    val question: String = "",
    val draft: String = "",
) {
    fun side(side: Side): Answer = if (side == Side.BEFORE) before else after

    val running: Boolean get() = before.status is ReplyStatus.Active || after.status is ReplyStatus.Active

    val canAsk: Boolean get() = !running && before.selection != null && after.selection != null
}

data class Answer(
    val selection: Selection? = null,
    val text: String = "",
    /** Null: nothing was asked yet. */
    val status: ReplyStatus? = null,
)

sealed interface CompareEvent {
    data class Choose(val side: Side, val selection: Selection?) : CompareEvent

    data class DraftChanged(val draft: String) : CompareEvent

    /** First one side, then the other: one model is in memory at a time. */
    data class Ask(val question: String) : CompareEvent

    data object Stop : CompareEvent

    data class Grew(val side: Side, val text: String) : CompareEvent

    data class Ended(val side: Side, val text: String, val end: ReplyEnd) : CompareEvent
}
