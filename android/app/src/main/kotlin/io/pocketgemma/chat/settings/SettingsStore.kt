package io.pocketgemma.chat.settings

import io.pocketgemma.chat.MainThread
import io.pocketgemma.chat.Store
import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicReference

/** The settings: read from [file] when the store is made, shown at once when they change, and written soon after. */
class SettingsStore(
    private val file: SettingsFile,
    private val disk: Executor,
    main: MainThread,
) : Store<SettingsState, SettingsEvent>(SettingsState()) {
    /** What is still to be written; a slider on its way passes many values, and the last one is enough. */
    private val unwritten = AtomicReference<Settings>()

    init {
        disk.execute {
            val settings = file.read()
            main.post { dispatch(SettingsEvent.Loaded(settings)) }
        }
    }

    override fun reduce(state: SettingsState, event: SettingsEvent): SettingsState = when (event) {
        is SettingsEvent.Loaded -> SettingsState(event.settings.withinLimits(), loaded = true)
        is SettingsEvent.Change -> if (state.loaded) state.copy(settings = event.settings.withinLimits()) else state
        SettingsEvent.Reset -> if (state.loaded) {
            state.copy(settings = Settings(backUp = state.settings.backUp, selection = state.settings.selection))
        } else {
            state
        }
    }

    override fun act(before: SettingsState, after: SettingsState, event: SettingsEvent) {
        if (event is SettingsEvent.Loaded) return
        unwritten.set(after.settings)
        disk.execute { unwritten.getAndSet(null)?.let(file::write) }
    }
}
