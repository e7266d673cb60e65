package io.pocketgemma.chat.settings

import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.store.Store

/** Calls [chosen] when the user switches from the CPU to the GPU, but not when a stored choice is loaded. */
fun Store<SettingsState, SettingsEvent>.onGpuChosen(chosen: () -> Unit): AutoCloseable {
    var before: Backend? = null
    return observe { state ->
        if (!state.loaded) return@observe
        val now = state.settings.backend
        if (before == Backend.CPU && now == Backend.GPU) chosen()
        before = now
    }
}
