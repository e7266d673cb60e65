package io.pocketgemma.chat.settings

import io.pocketgemma.chat.store.MainThread
import io.pocketgemma.chat.store.Store
import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicReference

/** The settings: loaded from [file] when the store is created, shown immediately when they change, and written soon after. */
class SettingsStore(
    private val file: SettingsFile,
    private val disk: Executor,
    main: MainThread,
) : Store<SettingsState, SettingsEvent>(SettingsState()) {
    /** The settings still to be written; a moving slider passes many values, and only the last one counts. */
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
