package io.pocketgemma.chat.settings

import io.pocketgemma.chat.store.MainThread
import io.pocketgemma.chat.store.Store
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

    override fun reduce(state: SettingsState, event: SettingsEvent): SettingsState = state.reduce(event)

    override fun act(before: SettingsState, after: SettingsState, event: SettingsEvent) {
        if (event is SettingsEvent.Loaded) return
        unwritten.set(after.settings)
        disk.execute { unwritten.getAndSet(null)?.let(file::write) }
    }
}
