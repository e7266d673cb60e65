package io.pocketgemma.chat.settings

import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.store.Store

/** Calls [chosen] whenever the person changes from the processor to the GPU; not for a choice that was only read again. */
fun Store<SettingsState, SettingsEvent>.onGpuChosen(chosen: () -> Unit): AutoCloseable {
    var before: Backend? = null
    return observe { state ->
        if (!state.loaded) return@observe
        val now = state.settings.backend
        if (before == Backend.CPU && now == Backend.GPU) chosen()
        before = now
    }
}
