package io.pocketgemma.chat

import io.pocketgemma.chat.about.AboutPageStores
import io.pocketgemma.chat.benchmark.BenchmarkEvent
import io.pocketgemma.chat.benchmark.BenchmarkPageStores
import io.pocketgemma.chat.benchmark.BenchmarkState
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.ChatPageStores
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.compare.CompareEvent
import io.pocketgemma.chat.compare.ComparePageStores
import io.pocketgemma.chat.compare.CompareState
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.history.HistoryState
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.models.ModelsPageStores
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsPageStores
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store

/** The application, as the activity sees it; tests use their own. */
interface StoresOwner {
    val stores: Stores
}

/** Everything that the screens show and change. */
class Stores(
    override val model: ModelStore,
    override val library: Store<LibraryState, LibraryEvent>,
    override val settings: Store<SettingsState, SettingsEvent>,
    override val history: Store<HistoryState, HistoryEvent>,
    override val chat: Store<ChatState, ChatEvent>,
    override val compare: Store<CompareState, CompareEvent>,
    override val benchmark: Store<BenchmarkState, BenchmarkEvent>,
) : ChatPageStores, ModelsPageStores, SettingsPageStores, ComparePageStores, BenchmarkPageStores, AboutPageStores
