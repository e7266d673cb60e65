package io.pocketgemma.chat.compare

import io.pocketgemma.chat.asking.status
import io.pocketgemma.chat.chat.ReplyStatus
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Selection

/** The state after an event. Pure: events that make no sense now (a late reply, a question while one is answered) change nothing. */
fun CompareState.after(event: CompareEvent): CompareState = when (event) {
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

/** What was removed is chosen no more; where nothing was chosen, it is the tuned model and its base. */
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
