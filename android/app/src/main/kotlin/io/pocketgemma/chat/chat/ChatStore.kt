package io.pocketgemma.chat.chat

import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.ConversationStorage
import io.pocketgemma.chat.conversation.newConversationId
import io.pocketgemma.chat.inference.InferenceClient
import io.pocketgemma.chat.inference.ModelPreloader
import io.pocketgemma.chat.inference.activeSelection
import io.pocketgemma.chat.inference.conversationConfig
import io.pocketgemma.chat.inference.nameOf
import io.pocketgemma.chat.inference.remembersConversation
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyListener
import io.pocketgemma.chat.model.Request
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.store.MainThread
import io.pocketgemma.chat.store.Store
import java.util.concurrent.Executor

/**
 * The open conversation. The model is looked up when a question is asked, so another model or adapter continues with the same history. The
 * conversation is stored as it grows, so it can be restored after the process ends for any reason.
 *
 * Leaving a conversation during a reply stops the reply and keeps the text so far.
 *
 * Main thread only.
 *
 * @param storage accessed only on [disk], which runs one task at a time.
 * @param changed called after a change that the list of conversations shows was stored.
 * @param newId creates the id of a new conversation if the one to open no longer exists.
 */
class ChatStore(
    model: ModelStore,
    storage: ConversationStorage,
    disk: Executor,
    main: MainThread,
    private val inference: InferenceClient,
    private val prompts: SummaryPrompts,
    changed: () -> Unit,
    private val newId: () -> Long = ::newConversationId,
) : Store<ChatState, ChatEvent>(ChatState(conversation = NOT_READ)) {
    private val saver = ConversationSaver(storage, disk, main, changed)
    private val autoSave = AutoSave(main, ::save)

    // The reply or summary in progress, or the last one.
    private var underWay: AutoCloseable? = null

    init {
        saver.readLast { opened(NOT_READ, it) }
        ModelPreloader(inference, model, main)
    }

    /** Stores the current state. Called when the app leaves the screen. */
    fun save() = store(state)

    override fun reduce(state: ChatState, event: ChatEvent): ChatState = state.reduce(event)

    override fun act(before: ChatState, after: ChatState, event: ChatEvent) {
        when (event) {
            is ChatEvent.Ask, ChatEvent.Regenerate -> answer(after)
            ChatEvent.Stop -> underWay?.close()
            is ChatEvent.ContinueWithSummary -> sumUp(after, event.conversation)
            is ChatEvent.ReplyGrew -> autoSave.whileReplying()
            is ChatEvent.DraftChanged, is ChatEvent.Scrolled, ChatEvent.Edit, ChatEvent.CancelEdit -> autoSave.afterPause()
            is ChatEvent.ReplyEnded, is ChatEvent.Rename -> save()
            is ChatEvent.Opened -> saver.remember(after.conversation)
            else -> if (before.conversation != after.conversation) left(before, after, event) else autoSave.afterPause()
        }
    }

    private fun left(before: ChatState, after: ChatState, event: ChatEvent) {
        if (before.activeReply != null || before.summarising && event !is ChatEvent.Summarised) underWay?.close()
        if (event !is ChatEvent.Removed) store(before)
        if (event is ChatEvent.Open) {
            saver.read(event.conversation) { opened(event.conversation, it) }
        } else {
            store(after)
            saver.remember(after.conversation)
        }
    }

    private fun opened(id: Long, stored: Conversation?) =
        dispatch(ChatEvent.Opened(id, stored ?: Conversation(newId(), title = "")))

    private fun answer(asked: ChatState) {
        val reply = asked.activeReply ?: return
        val question = asked.lastQuestion ?: return
        underWay = inference.ask(ReplyTo(reply.id)) { settings, library ->
            val request = request(asked, settings, library, question.text)
            library.nameOf(request.selection)?.let { dispatch(ChatEvent.AnsweredBy(reply.id, it)) }
            request
        }
        save()
    }

    private fun sumUp(full: ChatState, next: Long) {
        underWay = inference.ask(SummaryFor(next, full)) { settings, library ->
            val request = request(full, settings.copy(replyTokens = SUMMARY_TOKENS), library, prompts.summaryRequest)
            request.copy(dropOldest = true)
        }
    }

    private fun request(state: ChatState, settings: Settings, library: LibraryState, question: String): Request {
        val selection = library.activeSelection(settings)
        val history = if (library.remembersConversation(selection)) state.history else emptyList()
        val summary = if (state.summary.isEmpty()) "" else prompts.summaryPreface + "\n" + state.summary
        return Request(selection, settings.options, settings.conversationConfig(history, more = summary), question)
    }

    private fun store(state: ChatState) {
        if (state.loaded) saver.write(state.toConversation())
    }

    private inner class ReplyTo(private val id: Long) : ReplyListener {
        override fun onText(text: String) = dispatch(ChatEvent.ReplyGrew(id, text))

        override fun onEnd(text: String, end: ReplyEnd) = dispatch(ChatEvent.ReplyEnded(id, text, end))
    }

    private inner class SummaryFor(private val next: Long, private val full: ChatState) : ReplyListener {
        override fun onText(text: String) = Unit

        override fun onEnd(text: String, end: ReplyEnd) =
            dispatch(ChatEvent.Summarised(next, summaryOrLastTurns(text, end, full.history, prompts)))
    }

    private companion object {
        /**
         * The id of the conversation on the screen until the storage has reported which one was open; no stored conversation has this id.
         */
        const val NOT_READ = 0L
    }
}

/** Leaves the open conversation for a new one. */
fun Store<ChatState, ChatEvent>.newChat() = dispatch(ChatEvent.NewChat(newConversationId()))
