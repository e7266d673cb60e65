package io.pocketgemma.chat.inference

import io.pocketgemma.chat.library.ModelEntry
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.store.MainThread

/**
 * Loads the selected model before a question is asked: at the start, and after the selection, its file, or the options have changed and
 * settled. Never during a reply, which may be one of several (before / after, a benchmark).
 */
internal class ModelPreloader(private val inference: InferenceClient, private val model: ModelStore, private val main: MainThread) {
    /** With the library's data of the model's file: a missing model can be loaded once its file exists. */
    private data class Wanted(val selection: Selection, val options: EngineOptions, val model: ModelEntry?)

    private var wanted: Wanted? = null
    private var prepared = true

    init {
        inference.onIdle = ::prepare
        inference.observe { settings, library ->
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
        if (prepared || now == null || inference.isBusy) return
        prepared = true
        model.prepare(now.selection, now.options)
    }

    private companion object {
        /** Time without further changes before a model is loaded, so that moving a slider loads nothing. */
        const val REST_MILLIS = 300L
    }
}
