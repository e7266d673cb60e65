package io.pocketgemma.chat.chat

import io.pocketgemma.chat.history.Conversation
import io.pocketgemma.chat.model.ReplyEnd

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

    /** Leave this conversation, which stays in the list, for a new one. */
    data class NewChat(val conversation: Long) : ChatEvent

    data class Open(val conversation: Long) : ChatEvent

    /** The storage has read [conversation]; null: it is gone. */
    data class Opened(val id: Long, val conversation: Conversation?) : ChatEvent

    data class Rename(val title: String) : ChatEvent

    /** Have the model sum up what was said, and go on from that in the new conversation [conversation]. */
    data class GoOnWithSummary(val conversation: Long) : ChatEvent

    data class Summarised(val conversation: Long, val summary: String) : ChatEvent

    /** [text] is all of the reply so far. */
    data class ReplyGrew(val id: Long, val text: String) : ChatEvent

    data class ReplyEnded(val id: Long, val text: String, val end: ReplyEnd) : ChatEvent
}
