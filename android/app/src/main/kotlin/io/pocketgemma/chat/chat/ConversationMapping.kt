package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus

/**
 * The stored form of this state. A reply in progress is stored as Stopped, in case the process ends. A question that is being edited is
 * stored as the draft once it was changed.
 */
internal fun ChatState.toConversation() = Conversation(
    id = conversation,
    title = title,
    messages = messages
        .map { if (it is Message.Reply && it.status is ReplyStatus.Active) it.copy(status = STOPPED) else it }
        .numberedFrom(0),
    summary = summary,
    draft = if (editing && draft == lastQuestion?.text) draftBefore else draft,
    scroll = scroll,
)

/** Whether there is anything worth storing. */
internal val Conversation.isWorthKeeping: Boolean
    get() = messages.isNotEmpty() || summary.isNotEmpty() || draft.isNotBlank() || title.isNotEmpty()

internal fun List<Message>.numberedFrom(first: Long): List<Message> = mapIndexed { index, message ->
    when (message) {
        is Message.Question -> message.copy(id = first + index)
        is Message.Reply -> message.copy(id = first + index)
    }
}

private val STOPPED = ReplyStatus.Stopped(null)
