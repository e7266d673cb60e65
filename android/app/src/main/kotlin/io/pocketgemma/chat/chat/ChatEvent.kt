package io.pocketgemma.chat.chat

import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd

/** Everything that can happen to a chat: what the person does, and what the model reports. */
sealed interface ChatEvent {
    data class Ask(val question: String) : ChatEvent

    data object Stop : ChatEvent

    data object NewChat : ChatEvent

    /** Try to load the model again. */
    data object LoadAgain : ChatEvent

    /** Messages of an earlier process, saved when the system ended it; numbered from 0. */
    data class Restore(val messages: List<Message>) : ChatEvent

    data class ModelKnown(val manifest: ModelManifest, val sampleQuestions: List<String>) : ChatEvent

    data class ModelProgress(val share: Double) : ChatEvent

    data object ModelReady : ChatEvent

    data class ModelFailed(val problem: ModelProblem) : ChatEvent

    /** [text] is all of the reply so far. */
    data class ReplyGrew(val id: Long, val text: String) : ChatEvent

    data class ReplyEnded(val id: Long, val text: String, val end: ReplyEnd) : ChatEvent
}

/** The state after an event. Pure: events that make no sense now (a late reply, a question while one is answered) change nothing. */
fun ChatState.after(event: ChatEvent): ChatState = when (event) {
    is ChatEvent.Ask -> asked(event.question.trim())
    ChatEvent.Stop -> withActiveReply { it.copy(status = ReplyStatus.Active(stopping = true)) }
    ChatEvent.NewChat -> copy(messages = emptyList())
    ChatEvent.LoadAgain -> if (model is ModelState.Failed) copy(model = ModelState.Loading()) else this
    is ChatEvent.Restore -> if (messages.isEmpty()) copy(messages = event.messages, nextId = event.messages.size.toLong()) else this
    is ChatEvent.ModelKnown -> copy(manifest = event.manifest, sampleQuestions = event.sampleQuestions)
    // Once copied, the model is still to be opened, which has no share to show.
    is ChatEvent.ModelProgress -> copy(model = ModelState.Loading(event.share.takeIf { it < 1 }))
    ChatEvent.ModelReady -> copy(model = ModelState.Ready)
    is ChatEvent.ModelFailed -> copy(model = ModelState.Failed(event.problem))
    is ChatEvent.ReplyGrew -> withActiveReply(event.id) { it.copy(text = event.text) }
    is ChatEvent.ReplyEnded -> withActiveReply(event.id) { it.copy(text = event.text, status = event.end.status()) }
}

private fun ChatState.asked(question: String): ChatState {
    if (!canSend || question.isEmpty()) return this
    val pair = listOf(Message.Question(nextId, question), Message.Reply(nextId + 1, "", ReplyStatus.Active()))
    return copy(messages = messages + pair, nextId = nextId + pair.size)
}

private fun ChatState.withActiveReply(id: Long? = activeReply?.id, change: (Message.Reply) -> Message.Reply): ChatState {
    val reply = activeReply?.takeIf { it.id == id } ?: return this
    return copy(messages = messages.dropLast(1) + change(reply))
}

private fun ReplyEnd.status(): ReplyStatus = when (this) {
    is ReplyEnd.Complete -> ReplyStatus.Complete(speed)
    is ReplyEnd.Stopped -> ReplyStatus.Stopped(speed)
    ReplyEnd.ContextFull -> ReplyStatus.ContextFull
    is ReplyEnd.Failed -> ReplyStatus.Failed(detail)
}
