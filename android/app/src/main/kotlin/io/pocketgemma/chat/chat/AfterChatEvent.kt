package io.pocketgemma.chat.chat

import io.pocketgemma.chat.asking.status
import io.pocketgemma.chat.beginning
import io.pocketgemma.chat.history.Conversation
import io.pocketgemma.chat.history.HistoryStore
import io.pocketgemma.chat.oneLine

/** The state after an event. Pure: events that make no sense now (a late reply, a question while one is answered) change nothing. */
fun ChatState.after(event: ChatEvent): ChatState = when (event) {
    is ChatEvent.Ask -> asked(event.question.trim())
    ChatEvent.Stop -> stopped()
    ChatEvent.Regenerate -> askedAgain()
    ChatEvent.Edit -> edited()
    ChatEvent.CancelEdit -> withoutEditing()
    is ChatEvent.DraftChanged -> copy(draft = event.draft)
    is ChatEvent.Scrolled -> copy(scroll = event.place)
    is ChatEvent.NewChat -> anew(event)
    is ChatEvent.Open -> if (event.conversation == conversation) this else ChatState(event.conversation, nextId = nextId)
    is ChatEvent.Opened -> if (loaded || event.id != conversation) this else opened(event.conversation)
    is ChatEvent.Rename -> if (loaded) named(event.title.oneLine().beginning(HistoryStore.MOST_TITLE)) else this
    is ChatEvent.Renamed -> if (event.conversation == conversation) copy(title = event.title) else this
    is ChatEvent.Removed -> if (event.conversation == conversation) ChatState(event.next, loaded = true, nextId = nextId) else this
    is ChatEvent.GoOnWithSummary -> if (canAsk && !isNew) withoutEditing().copy(goingOn = event.conversation) else this
    is ChatEvent.Summarised -> if (goingOn == event.conversation) goneOn(event) else this
    is ChatEvent.AnsweredBy -> withActiveReply(event.id) { it.copy(answeredBy = event.name) }
    is ChatEvent.ReplyGrew -> withActiveReply(event.id) { it.copy(text = event.text) }
    // What the person has read already stays, even if the end came without it.
    is ChatEvent.ReplyEnded -> withActiveReply(event.id) { it.copy(text = event.text.ifEmpty { it.text }, status = event.end.status()) }
}

private val ChatState.firstQuestion: Message.Question?
    get() = messages.firstOrNull { it is Message.Question } as Message.Question?

private fun ChatState.asked(question: String): ChatState {
    if (!canAsk || question.isEmpty()) return this
    val before = if (editing) messages.takeWhile { it != lastQuestion } else messages
    val titleIsOwn = title.isNotEmpty() && title != firstQuestion?.let { titleOf(it.text) }
    return copy(
        title = if (before.isEmpty() && !titleIsOwn) titleOf(question) else title,
        messages = before + Message.Question(nextId, question) + Message.Reply(nextId + 1, "", ReplyStatus.Active()),
        // A sample question is not what was being written.
        draft = if (editing) draftBefore else draft.takeIf { it.trim() != question }.orEmpty(),
        editing = false,
        draftBefore = "",
        scroll = null,
        nextId = nextId + 2,
    )
}

private fun ChatState.named(title: String) = copy(title = title.ifEmpty { firstQuestion?.let { titleOf(it.text) }.orEmpty() })

private fun ChatState.askedAgain(): ChatState {
    val question = lastQuestion
    if (!canAsk || question == null) return this
    return withoutEditing().copy(
        messages = messages.takeWhile { it != question } + question + Message.Reply(nextId, "", ReplyStatus.Active()),
        scroll = null,
        nextId = nextId + 1,
    )
}

private fun ChatState.stopped(): ChatState =
    if (summarising) copy(goingOn = null) else withActiveReply { it.copy(status = ReplyStatus.Active(stopping = true)) }

private fun ChatState.edited(): ChatState {
    val question = lastQuestion
    return if (!canAsk || editing || question == null) this else copy(draft = question.text, editing = true, draftBefore = draft)
}

private fun ChatState.withoutEditing(): ChatState =
    if (editing) copy(draft = draftBefore, editing = false, draftBefore = "") else this

private fun ChatState.anew(event: ChatEvent.NewChat): ChatState =
    if (loaded && isNew) {
        copy(draft = event.draft.ifEmpty { draft })
    } else {
        ChatState(event.conversation, loaded = true, draft = event.draft, nextId = nextId)
    }

// Messages are numbered on from here: a late event of the conversation before meets none of them. What was written while the storage was
// still reading stays.
private fun ChatState.opened(stored: Conversation) = ChatState(
    conversation = stored.id,
    loaded = true,
    title = stored.title,
    messages = stored.messages.numberedFrom(nextId),
    carried = stored.carried,
    draft = draft.ifEmpty { stored.draft },
    scroll = stored.scroll,
    nextId = nextId + stored.messages.size,
)

private fun ChatState.goneOn(event: ChatEvent.Summarised) =
    ChatState(event.conversation, loaded = true, carried = event.summary, draft = questionTooMany?.text.orEmpty(), nextId = nextId)

private fun ChatState.withActiveReply(id: Long? = activeReply?.id, change: (Message.Reply) -> Message.Reply): ChatState {
    val reply = activeReply?.takeIf { it.id == id } ?: return this
    return copy(messages = messages.dropLast(1) + change(reply))
}
