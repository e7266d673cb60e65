package io.pocketgemma.chat.compare

import io.pocketgemma.chat.chat.ReplyStatus
import io.pocketgemma.chat.library.LibraryState
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
    /** Null: nobody is chosen, or who was chosen has been removed. */
    val selection: Selection? = null,
    val text: String = "",
    /** Null: nothing was asked yet. */
    val status: ReplyStatus? = null,
    /** The person has chosen; the app's own choice stays away. */
    val chosen: Boolean = false,
    /** How often this side was asked: a late event of an earlier question cannot meet a newer one. */
    val asked: Int = 0,
)

sealed interface CompareEvent {
    /** Another one to answer on a side; what stood there goes. */
    data class Choose(val side: Side, val selection: Selection?) : CompareEvent

    data class DraftChanged(val draft: String) : CompareEvent

    /** First one side, then the other: one model is in memory at a time. */
    data class Ask(val question: String) : CompareEvent

    data object Stop : CompareEvent

    /** What there is to choose from, and who answers in the chat. */
    data class Known(val library: LibraryState, val inChat: Selection?) : CompareEvent

    /** [asked] is [Answer.asked] of the question; [text] is all of the reply so far. */
    data class Grew(val side: Side, val asked: Int, val text: String) : CompareEvent

    data class Ended(val side: Side, val asked: Int, val text: String, val end: ReplyEnd) : CompareEvent
}
