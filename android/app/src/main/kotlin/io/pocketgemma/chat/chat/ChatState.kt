package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.MAX_TITLE_LENGTH
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.conversation.status
import io.pocketgemma.chat.conversation.titleOf
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn
import io.pocketgemma.chat.text.singleLine
import io.pocketgemma.chat.text.truncated

/** The conversation on the screen, as data. Only events change it. */
data class ChatState(
    /** The conversation's id; a new conversation is stored with its first question. */
    val conversation: Long,
    /** False while the conversation is being loaded; no question can be asked before. */
    val loaded: Boolean = false,
    /** Empty until the first question; then the beginning of that question, or the name that the user entered. */
    val title: String = "",
    val messages: List<Message> = emptyList(),
    /** A summary of an earlier conversation that this one continues; empty if there is none. */
    val summary: String = "",
    /** The text in the composer. */
    val draft: String = "",
    /** Sending the draft replaces the last question. */
    val editing: Boolean = false,
    /** The text in the composer before [editing], restored afterwards. */
    val draftBefore: String = "",
    /** The scroll position; null: the end. */
    val scroll: ScrollPosition? = null,
    /** The new conversation for which the model is writing a summary of this one; null: none. */
    val summaryFor: Long? = null,
    /** Increases by one with each message and never decreases, so that a late event cannot affect a newer message. */
    val nextId: Long = 0,
) {
    /** The reply in progress, if any. */
    val activeReply: Message.Reply?
        get() = (messages.lastOrNull() as? Message.Reply)?.takeIf { it.status is ReplyStatus.Active }

    val summarising: Boolean
        get() = summaryFor != null

    val canAsk: Boolean
        get() = loaded && activeReply == null && !summarising

    val lastQuestion: Message.Question?
        get() = messages.lastOrNull { it is Message.Question } as Message.Question?

    /** The last question, if it did not fit into the model's context together with the earlier messages. */
    val questionTooMany: Message.Question?
        get() = lastQuestion?.takeIf { (messages.last() as? Message.Reply)?.status == ReplyStatus.ContextFull }

    /** Has no messages and continues no other conversation. */
    val isNew: Boolean
        get() = messages.isEmpty() && summary.isEmpty()

    /** The finished turns that the model receives. A question without a reply is left out. */
    val history: List<Turn>
        get() = messages.zipWithNext().flatMap { (question, reply) ->
            if (question is Message.Question && reply is Message.Reply && reply.status is ReplyStatus.Ended && reply.text.isNotEmpty()) {
                listOf(Turn(Role.USER, question.text), Turn(Role.MODEL, reply.text))
            } else {
                emptyList()
            }
        }
}

/** All events of a conversation: actions of the user, and reports of the model and the storage. */
sealed interface ChatEvent {
    /** Asks a question; while editing, it replaces the last question and its reply. */
    data class Ask(val question: String) : ChatEvent

    data object Stop : ChatEvent

    /** Asks the last question again; the new reply replaces the last one. */
    data object Regenerate : ChatEvent

    /** Puts the last question into the composer, to edit it and send it again. */
    data object Edit : ChatEvent

    /** Cancels the editing of the last question. */
    data object CancelEdit : ChatEvent

    data class DraftChanged(val draft: String) : ChatEvent

    data class Scrolled(val position: ScrollPosition?) : ChatEvent

    /**
     * Leaves this conversation, which stays in the list, for a new one; does nothing if this one is still empty. A reply in progress is
     * stopped, and the text so far is kept.
     *
     * @property conversation id of the new conversation, see [newConversationId].
     * @property draft text in the new composer: the question that did not fit into the old conversation.
     */
    data class NewChat(val conversation: Long, val draft: String = "") : ChatEvent

    /** Leaves this conversation for another one from the list, like [NewChat]. */
    data class Open(val conversation: Long) : ChatEvent

    /** The storage has loaded the conversation [id]; [conversation] is a new one if it no longer exists. */
    data class Opened(val id: Long, val conversation: Conversation) : ChatEvent

    /** The user's own title, which is kept; an empty one restores the beginning of the first question. */
    data class Rename(val title: String) : ChatEvent

    /** The list of conversations has renamed this one, also in the storage. */
    data class Renamed(val conversation: Long, val title: String) : ChatEvent

    /** The list of conversations has deleted this one: continue with the new one [next], and store nothing more of the old one. */
    data class Removed(val conversation: Long, val next: Long) : ChatEvent

    /** Asks the model for a summary and continues from it in the new conversation [conversation]. [Stop] cancels this. */
    data class ContinueWithSummary(val conversation: Long) : ChatEvent

    /** [summary] starts the new conversation: the model's summary, or the last turns if there is none. */
    data class Summarised(val conversation: Long, val summary: String) : ChatEvent

    /** The question of reply [id] was sent to the model with this name. */
    data class AnsweredBy(val id: Long, val name: String) : ChatEvent

    /** [text] is the whole reply so far. */
    data class ReplyGrew(val id: Long, val text: String) : ChatEvent

    data class ReplyEnded(val id: Long, val text: String, val end: ReplyEnd) : ChatEvent
}

/** The state after an event. Pure: events that do not apply (a late reply, a question while a reply is in progress) change nothing. */
fun ChatState.reduce(event: ChatEvent): ChatState = when (event) {
    is ChatEvent.Ask -> asked(event.question.trim())
    ChatEvent.Stop -> stopped()
    ChatEvent.Regenerate -> askedAgain()
    ChatEvent.Edit -> edited()
    ChatEvent.CancelEdit -> withoutEditing()
    is ChatEvent.DraftChanged -> copy(draft = event.draft)
    is ChatEvent.Scrolled -> copy(scroll = event.position)
    is ChatEvent.NewChat -> startedAnew(event)
    is ChatEvent.Open -> if (event.conversation == conversation) this else ChatState(event.conversation, nextId = nextId)
    is ChatEvent.Opened -> if (loaded || event.id != conversation) this else opened(event.conversation)
    is ChatEvent.Rename -> if (loaded) named(event.title.singleLine().truncated(MAX_TITLE_LENGTH)) else this
    is ChatEvent.Renamed -> if (event.conversation == conversation) copy(title = event.title) else this
    is ChatEvent.Removed -> if (event.conversation == conversation) ChatState(event.next, loaded = true, nextId = nextId) else this
    is ChatEvent.ContinueWithSummary -> if (canAsk && !isNew) withoutEditing().copy(summaryFor = event.conversation) else this
    is ChatEvent.Summarised -> if (summaryFor == event.conversation) continued(event) else this
    is ChatEvent.AnsweredBy -> withActiveReply(event.id) { it.copy(answeredBy = event.name) }
    is ChatEvent.ReplyGrew -> withActiveReply(event.id) { it.copy(text = event.text) }
    // Text that the user has already seen stays, even if the final text lacks it.
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
        // A sample question is not the user's draft.
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
    if (summarising) copy(summaryFor = null) else withActiveReply { it.copy(status = ReplyStatus.Active(stopping = true)) }

private fun ChatState.edited(): ChatState {
    val question = lastQuestion
    return if (!canAsk || editing || question == null) this else copy(draft = question.text, editing = true, draftBefore = draft)
}

private fun ChatState.withoutEditing(): ChatState =
    if (editing) copy(draft = draftBefore, editing = false, draftBefore = "") else this

private fun ChatState.startedAnew(event: ChatEvent.NewChat): ChatState =
    if (loaded && isNew) {
        copy(draft = event.draft.ifEmpty { draft })
    } else {
        ChatState(event.conversation, loaded = true, draft = event.draft, nextId = nextId)
    }

// Message ids continue from here, so that a late event of the previous conversation matches none of them. Text typed while the storage was
// loading is kept.
private fun ChatState.opened(stored: Conversation) = ChatState(
    conversation = stored.id,
    loaded = true,
    title = stored.title,
    messages = stored.messages.numberedFrom(nextId),
    summary = stored.summary,
    draft = draft.ifEmpty { stored.draft },
    scroll = stored.scroll,
    nextId = nextId + stored.messages.size,
)

private fun ChatState.continued(event: ChatEvent.Summarised) =
    ChatState(event.conversation, loaded = true, summary = event.summary, draft = questionTooMany?.text.orEmpty(), nextId = nextId)

private fun ChatState.withActiveReply(id: Long? = activeReply?.id, change: (Message.Reply) -> Message.Reply): ChatState {
    val reply = activeReply?.takeIf { it.id == id } ?: return this
    return copy(messages = messages.dropLast(1) + change(reply))
}
