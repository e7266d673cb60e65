package io.pocketgemma.chat.fake

import io.pocketgemma.chat.library.AdapterEntry
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.library.ModelEntry
import io.pocketgemma.chat.library.Origin
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store

/** Settings that the test provides. */
class FakeSettings : Store<SettingsState, SettingsEvent>(SettingsState()) {
    override fun reduce(state: SettingsState, event: SettingsEvent): SettingsState = when (event) {
        is SettingsEvent.Loaded -> SettingsState(event.settings, loaded = true)
        is SettingsEvent.Change -> state.copy(settings = event.settings)
        SettingsEvent.Reset -> state.copy(settings = Settings(selection = state.settings.selection))
    }

    fun change(change: (Settings) -> Settings) = dispatch(SettingsEvent.Change(change(state.settings)))
}

/** A library that the test provides. */
class FakeLibrary : Store<LibraryState, LibraryEvent>(LibraryState()) {
    override fun reduce(state: LibraryState, event: LibraryEvent): LibraryState = when (event) {
        is LibraryEvent.Loaded -> state.copy(
            loaded = true,
            models = event.models,
            adapters = event.adapters,
            sampleQuestions = event.sampleQuestions,
            tuned = event.tuned,
            base = event.base,
        )
        is LibraryEvent.Remove -> state.copy(
            models = state.models.filter { it.id != event.id },
            adapters = state.adapters.filter { it.id != event.id },
        )
        else -> state
    }
}

/** A base that supports adapters with two of them, and a model that was trained on single questions only. */
object Shelf {
    val gemma = ModelEntry("gemma", "Gemma", 1, Origin.APP, adapterRank = 16, baseDigest = "base", manifest = ModelManifest("Gemma"))
    val single = ModelEntry(
        id = "single",
        name = "Single",
        bytes = 1,
        origin = Origin.IMPORTED,
        manifest = ModelManifest("Single", remembersConversation = false),
    )
    val science = AdapterEntry("science", "Science", 1, Origin.APP, rank = 16, baseDigest = "base")
    val poems = AdapterEntry("poems", "Poems", 1, Origin.IMPORTED, rank = 16, baseDigest = "base")
    val tuned = Selection("gemma", "science")
    val base = Selection("gemma")
    val loaded = LibraryEvent.Loaded(listOf(gemma, single), listOf(science, poems), emptyList(), tuned, base)
}
