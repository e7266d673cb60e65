package io.pocketgemma.chat.settings

/** [loaded]: the stored settings have been read. A change from before would be one of the defaults, and is not taken. */
data class SettingsState(val settings: Settings = Settings(), val loaded: Boolean = false)

sealed interface SettingsEvent {
    data class Loaded(val settings: Settings) : SettingsEvent

    data class Change(val settings: Settings) : SettingsEvent

    /**
     * Everything that shapes answers back to the defaults. Who answers stays, and so does the backup: a person who resets because of odd
     * answers has not decided anew where conversations may go, and neither a new copy of them nor the end of copying may come unasked.
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
