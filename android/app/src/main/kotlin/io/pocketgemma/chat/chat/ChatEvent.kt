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
