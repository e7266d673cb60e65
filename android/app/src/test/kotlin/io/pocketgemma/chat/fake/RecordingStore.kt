package io.pocketgemma.chat.fake

import io.pocketgemma.chat.Stores
import io.pocketgemma.chat.benchmark.BenchmarkEvent
import io.pocketgemma.chat.benchmark.BenchmarkState
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.compare.CompareEvent
import io.pocketgemma.chat.compare.CompareState
import io.pocketgemma.chat.export.Export
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.history.HistoryState
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.ReplyListener
import io.pocketgemma.chat.model.Request
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell

/** Keeps the state that a test gave it, and the events that a page sent. */
class RecordingStore<State : Any, Event : Any>(initial: State) : Store<State, Event>(initial) {
    val events = mutableListOf<Event>()
    private var next: State? = null

    fun become(state: State) {
        next = state
        // An event that belongs to no store: the reducer below ignores events.
        @Suppress("UNCHECKED_CAST")
        dispatch(Unit as Event)
    }

    // An event that an observer sends for the new state is recorded too.
    override fun reduce(state: State, event: Event): State = next?.also { next = null } ?: state.also { events += event }
}

/** A model with replies that the test provides. */
class RecordingModelStore : ModelStore() {
    val prepared = mutableListOf<Pair<Selection, EngineOptions>>()

    override fun prepare(selection: Selection, options: EngineOptions) {
        prepared += selection to options
    }

    override fun ask(request: Request, listener: ReplyListener) = AutoCloseable { }

    override fun release() = Unit

    override fun close() = Unit
}

/** All stores, each recording. */
class RecordingStores(library: LibraryState = LibraryState(loaded = true), settings: Settings = Settings()) {
    val model = RecordingModelStore()
    val library = RecordingStore<LibraryState, LibraryEvent>(library)
    val settings = RecordingStore<SettingsState, SettingsEvent>(SettingsState(settings, loaded = true))
    val history = RecordingStore<HistoryState, HistoryEvent>(HistoryState(loaded = true))
    val chat = RecordingStore<ChatState, ChatEvent>(ChatState(conversation = 1, loaded = true))
    val compare = RecordingStore<CompareState, CompareEvent>(CompareState())
    val benchmark = RecordingStore<BenchmarkState, BenchmarkEvent>(BenchmarkState())
    val all = Stores(model, this.library, this.settings, history, chat, compare, benchmark)
}

/** Records what a page requests from the activity. */
class RecordingShell : Shell {
    val opened = mutableListOf<Screen>()
    val copied = mutableListOf<String>()
    val shared = mutableListOf<Pair<String, String>>()
    val sharedExports = mutableListOf<Export>()
    val savedExports = mutableListOf<Export>()
    val notices = mutableListOf<Notice>()
    var backs = 0
    var picks = 0

    class Notice(val text: String, val action: String?, val gone: () -> Unit, val act: () -> Unit)

    override fun open(screen: Screen) {
        opened += screen
    }

    override fun back() {
        backs++
    }

    override fun pickFile() {
        picks++
    }

    override fun share(text: String, title: String) {
        shared += text to title
    }

    override fun share(export: Export) {
        sharedExports += export
    }

    override fun save(export: Export) {
        savedExports += export
    }

    override fun copy(text: String) {
        copied += text
    }

    override fun notice(text: String, action: String?, gone: () -> Unit, act: () -> Unit) {
        notices += Notice(text, action, gone, act)
    }
}
