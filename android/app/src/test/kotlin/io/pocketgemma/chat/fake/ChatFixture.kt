package io.pocketgemma.chat.fake

import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.chat.ChatStore
import io.pocketgemma.chat.chat.SummaryPrompts
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.inference.InferenceClient
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsEvent

/** Everything around a chat. Another [store] over the same world is the next process. */
class ChatFixture(loaded: Boolean = true) {
    val host = FakeModelStore()
    val storage = FakeStorage()
    val disk = ManualExecutor()
    val main = ManualMainThread()
    val settings = FakeSettings()
    val library = FakeLibrary()
    val inference = InferenceClient(host, settings, library)
    var refreshes = 0
    private var ids = 100L

    init {
        if (loaded) load()
    }

    fun load(wanted: Settings = Settings()) {
        settings.dispatch(SettingsEvent.Loaded(wanted))
        library.dispatch(Shelf.loaded)
    }

    fun store(settled: Boolean = true): ChatStore =
        ChatStore(host, storage, disk, main, inference, Words, changed = { refreshes++ }, newId = { ids++ }).also { if (settled) settle() }

    /** Runs everything that does not wait for a time. */
    fun settle() {
        do {
            val ran = disk.run()
        } while (main.advance() || ran)
    }

    fun pass(millis: Long) {
        settle()
        main.advance(millis)
        settle()
    }

    object Words : SummaryPrompts {
        override val summaryRequest = "Sum up."
        override val summaryPreface = "Before:"

        override fun turn(question: String, reply: String) = "Q $question A $reply"
    }
}

val FakeModelStore.last: FakeModelStore.Asked get() = asked.last()

val ChatStore.texts: List<String> get() = state.messages.map { it.text }

val ChatState.lastStatus: ReplyStatus? get() = (messages.lastOrNull() as? Message.Reply)?.status

fun ChatStore.ask(question: String) = dispatch(ChatEvent.Ask(question))

/** Asks a question, and lets the host reply. */
fun ChatFixture.converse(store: ChatStore, question: String, reply: String) {
    store.ask(question)
    host.last.end(reply)
    settle()
}
