package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus

/**
 * What the storage keeps of this state. A reply under way is Stopped there: should the process end now, that is what it will have been. A
 * question that is being edited is kept as the draft as soon as it has been changed.
 */
internal fun ChatState.toConversation() = Conversation(
    id = conversation,
    title = title,
    messages = messages
        .map { if (it is Message.Reply && it.status is ReplyStatus.Active) it.copy(status = STOPPED) else it }
        .numberedFrom(0),
    carried = carried,
    draft = if (editing && draft == lastQuestion?.text) draftBefore else draft,
    scroll = scroll,
)

/** Whether anything would be missed. */
internal val Conversation.isWorthKeeping: Boolean
    get() = messages.isNotEmpty() || carried.isNotEmpty() || draft.isNotBlank() || title.isNotEmpty()

internal fun List<Message>.numberedFrom(first: Long): List<Message> = mapIndexed { index, message ->
    when (message) {
        is Message.Question -> message.copy(id = first + index)
        is Message.Reply -> message.copy(id = first + index)
    }
}

private val STOPPED = ReplyStatus.Stopped(null)
