package io.pocketgemma.chat

import io.pocketgemma.chat.benchmark.BenchmarkEvent
import io.pocketgemma.chat.benchmark.BenchmarkState
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.compare.CompareEvent
import io.pocketgemma.chat.compare.CompareState
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.history.HistoryState
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelHost
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState

/** The application, for the activity: tests have one of their own. */
interface StoresOwner {
    val stores: Stores
}

/** All that the screens show and change. */
class Stores(
    val model: ModelHost,
    val library: Store<LibraryState, LibraryEvent>,
    val settings: Store<SettingsState, SettingsEvent>,
    val history: Store<HistoryState, HistoryEvent>,
    val chat: Store<ChatState, ChatEvent>,
    val compare: Store<CompareState, CompareEvent>,
    val benchmark: Store<BenchmarkState, BenchmarkEvent>,
)
