package io.pocketgemma.chat.settings

/** [loaded]: the stored settings have been loaded. Earlier changes are ignored, because they would apply to the defaults. */
data class SettingsState(val settings: Settings = Settings(), val loaded: Boolean = false)

sealed interface SettingsEvent {
    data class Loaded(val settings: Settings) : SettingsEvent

    data class Change(val settings: Settings) : SettingsEvent

    /**
     * Resets everything that affects replies. The selected model stays, and so does the backup: a user who resets the settings because of
     * odd replies has not decided where conversations may go, and a reset must neither start nor stop copying them.
     */
    data object Reset : SettingsEvent
}

/** The state after an event. Pure. */
fun SettingsState.reduce(event: SettingsEvent): SettingsState = when (event) {
    is SettingsEvent.Loaded -> SettingsState(event.settings.withinLimits(), loaded = true)
    is SettingsEvent.Change -> if (loaded) copy(settings = event.settings.withinLimits()) else this
    SettingsEvent.Reset -> if (loaded) {
        copy(settings = Settings(backUp = settings.backUp, selection = settings.selection))
    } else {
        this
    }
}
