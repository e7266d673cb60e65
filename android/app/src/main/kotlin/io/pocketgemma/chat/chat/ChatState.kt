package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.MOST_TITLE
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.ScrollPlace
import io.pocketgemma.chat.conversation.status
import io.pocketgemma.chat.conversation.titleOf
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Numbers
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn
import io.pocketgemma.chat.text.beginning
import io.pocketgemma.chat.text.oneLine

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

/** Everything that can happen to a conversation: what the person does, and what the model and the storage report. */
sealed interface ChatEvent {
    /** Ask; while editing, in place of the last question and its reply. */
    data class Ask(val question: String) : ChatEvent

    data object Stop : ChatEvent

    /** The last question again, for another reply in place of the last one. */
    data object Regenerate : ChatEvent

    /** Put the last question into the text field, to be changed and sent again. */
    data object Edit : ChatEvent

    /** Leave the last question as it was. */
    data object CancelEdit : ChatEvent

    data class DraftChanged(val draft: String) : ChatEvent

    data class Scrolled(val place: ScrollPlace?) : ChatEvent

    /**
     * Leave this conversation, which stays in the list, for a new one; where nothing was said yet, stay. A reply under way is stopped and
     * kept as far as it was written.
     *
     * @property conversation the new one's id, see [newConversationId].
     * @property draft stands in the new one's text field: the question that did not fit into the old one.
     */
    data class NewChat(val conversation: Long, val draft: String = "") : ChatEvent

    /** Leave this conversation for another one of the list, as with [NewChat]. */
    data class Open(val conversation: Long) : ChatEvent

    /** The storage has read what was to be opened as [id]; [conversation] is a new one when that is gone. */
    data class Opened(val id: Long, val conversation: Conversation) : ChatEvent

    /** The person's own title, kept for ever; an empty one goes back to the beginning of the first question. */
    data class Rename(val title: String) : ChatEvent

    /** The list of conversations has renamed this one, in the storage too. */
    data class Renamed(val conversation: Long, val title: String) : ChatEvent

    /** The list of conversations has removed this one: go on with the new one [next], and write nothing more of the old. */
    data class Removed(val conversation: Long, val next: Long) : ChatEvent

    /** Have the model sum up what was said, and go on from that in the new conversation [conversation]. [Stop] leaves it at that. */
    data class GoOnWithSummary(val conversation: Long) : ChatEvent

    /** [summary] is what the new conversation begins with: the model's, or the last turns themselves where it had none. */
    data class Summarised(val conversation: Long, val summary: String) : ChatEvent

    /** The question of reply [id] has gone to the model of this name. */
    data class AnsweredBy(val id: Long, val name: String) : ChatEvent

    /** [text] is all of the reply so far. */
    data class ReplyGrew(val id: Long, val text: String) : ChatEvent

    data class ReplyEnded(val id: Long, val text: String, val end: ReplyEnd) : ChatEvent
}

/** The state after an event. Pure: events that make no sense now (a late reply, a question while one is answered) change nothing. */
fun ChatState.reduce(event: ChatEvent): ChatState = when (event) {
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
    is ChatEvent.Rename -> if (loaded) named(event.title.oneLine().beginning(MOST_TITLE)) else this
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
