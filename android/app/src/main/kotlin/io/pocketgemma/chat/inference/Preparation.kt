package io.pocketgemma.chat.inference

import io.pocketgemma.chat.library.ModelEntry
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.store.MainThread

/**
 * Has the chosen model loaded before it is asked: at the start, and whenever the choice, its file or the options are others and rest. Never while
 * anybody waits for a reply, which may be one of several (before / after, a benchmark).
 */
internal class Preparation(private val asking: Asking, private val host: ModelStore, private val main: MainThread) {
    /** With what the library knows of the model's file: once a missing one has come, it can be loaded. */
    private data class Wanted(val selection: Selection, val options: EngineOptions, val model: ModelEntry?)

    private var wanted: Wanted? = null
    private var prepared = true

    init {
        asking.onIdle = ::prepare
        asking.observe { settings, library ->
            want(library.present(settings.selection)?.let { Wanted(it, settings.options, library.model(it.model)) })
        }
    }

    private fun want(now: Wanted?) {
        if (now == wanted) return
        val first = wanted == null
        wanted = now
        prepared = false
        if (first) prepare() else main.post(REST_MILLIS) { if (wanted === now) prepare() }
    }

    private fun prepare() {
        val now = wanted
        if (prepared || now == null || asking.isBusy) return
        prepared = true
        host.prepare(now.selection, now.options)
    }

    private companion object {
        /** So long a choice has to stand: a slider on its way loads nothing. */
        const val REST_MILLIS = 300L
    }
}
