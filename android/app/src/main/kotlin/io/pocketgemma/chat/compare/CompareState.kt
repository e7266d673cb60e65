package io.pocketgemma.chat.compare

import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.status
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Selection

enum class Side { BEFORE, AFTER }

/** One question to two models, side by side. */
data class CompareState(
    val before: Answer = Answer(),
    val after: Answer = Answer(),
    /** The last question; empty before the first. */
    val question: String = "",
    val draft: String = "",
) {
    fun side(side: Side): Answer = if (side == Side.BEFORE) before else after

    val running: Boolean get() = before.status is ReplyStatus.Active || after.status is ReplyStatus.Active

    val canAsk: Boolean get() = !running && before.selection != null && after.selection != null
}

data class Answer(
    /** Null: no model is selected, or the selected one was deleted. */
    val selection: Selection? = null,
    val text: String = "",
    /** Null: no question yet. */
    val status: ReplyStatus? = null,
    /** The user has made a selection; the app no longer selects by itself. */
    val chosen: Boolean = false,
    /** The number of questions to this side, so that a late event of an earlier question cannot affect a newer one. */
    val asked: Int = 0,
)

sealed interface CompareEvent {
    /** Selects another model for a side; clears the reply there. */
    data class Choose(val side: Side, val selection: Selection?) : CompareEvent

    data class DraftChanged(val draft: String) : CompareEvent

    /** One side, then the other: only one model is in memory at a time. */
    data class Ask(val question: String) : CompareEvent

    data object Stop : CompareEvent

    /** The available models, and the one selected in the chat. */
    data class Known(val library: LibraryState, val inChat: Selection?) : CompareEvent

    /** [asked] is [Answer.asked] of the question; [text] is the whole reply so far. */
    data class Grew(val side: Side, val asked: Int, val text: String) : CompareEvent

    data class Ended(val side: Side, val asked: Int, val text: String, val end: ReplyEnd) : CompareEvent
}

/** The state after an event. Pure: events that do not apply (a late reply, a question while a reply is in progress) change nothing. */
fun CompareState.reduce(event: CompareEvent): CompareState = when (event) {
    is CompareEvent.Choose -> with(event.side) { Answer(event.selection, chosen = true, asked = it.asked) }
    is CompareEvent.DraftChanged -> copy(draft = event.draft)
    is CompareEvent.Ask -> asked(event.question.trim())
    CompareEvent.Stop -> copy(before = before.stopped(), after = after.stopped())
    is CompareEvent.Known -> among(event.library, event.inChat)
    is CompareEvent.Grew -> withActive(event.side, event.asked) { it.copy(text = event.text) }
    is CompareEvent.Ended -> withActive(event.side, event.asked) {
        it.copy(text = event.text.ifEmpty { it.text }, status = event.end.status())
    }
}

private fun CompareState.with(side: Side, change: (Answer) -> Answer): CompareState =
    if (side == Side.BEFORE) copy(before = change(before)) else copy(after = change(after))

private fun CompareState.withActive(side: Side, asked: Int, change: (Answer) -> Answer): CompareState =
    if (side(side).status is ReplyStatus.Active && side(side).asked == asked) with(side, change) else this

private fun CompareState.asked(question: String): CompareState {
    if (!canAsk || question.isEmpty()) return this
    fun Answer.asked() = copy(text = "", status = ReplyStatus.Active(), asked = asked + 1)
    return copy(
        before = before.asked(),
        after = after.asked(),
        question = question,
        draft = draft.takeIf { it.trim() != question }.orEmpty(),
    )
}

private fun Answer.stopped(): Answer = if (status is ReplyStatus.Active) copy(status = ReplyStatus.Active(stopping = true)) else this

/** Deleted models are deselected; an empty side gets the tuned model or its base. */
private fun CompareState.among(library: LibraryState, inChat: Selection?): CompareState {
    val base = library.base
    val tuned = library.tuned ?: inChat?.takeIf { it != base }
    return copy(before = before.among(library, base), after = after.among(library, tuned))
}

private fun Answer.among(library: LibraryState, otherwise: Selection?): Answer = when {
    selection == null && !chosen -> copy(selection = otherwise)
    selection == null || library.holds(selection) -> this
    else -> Answer(chosen = true, asked = asked)
}

private fun LibraryState.holds(selection: Selection): Boolean =
    model(selection.model) != null && (selection.adapter == null || adapter(selection.adapter) != null)
