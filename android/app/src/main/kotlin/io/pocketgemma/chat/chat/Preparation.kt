package io.pocketgemma.chat.chat

import io.pocketgemma.chat.MainThread
import io.pocketgemma.chat.asking.Asking
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelHost
import io.pocketgemma.chat.model.Selection

/**
 * Has the chosen model loaded before it is asked, whenever the choice or the options change: once they rest, and never while a reply is being
 * written.
 */
internal class Preparation(
    asking: Asking,
    private val host: ModelHost,
    private val main: MainThread,
    private val busy: () -> Boolean,
) {
    private data class Wanted(val selection: Selection, val options: EngineOptions)

    private var wanted: Wanted? = null
    private var prepared = true

    init {
        asking.observe { settings, library ->
            want(library.present(settings.selection)?.let { Wanted(it, settings.options) })
        }
    }

    /** To be called when a reply has ended. */
    fun free() {
        val now = wanted
        if (prepared || now == null || busy()) return
        prepared = true
        host.prepare(now.selection, now.options)
    }

    private fun want(now: Wanted?) {
        if (now == wanted) return
        wanted = now
        prepared = false
        main.post(REST_MILLIS) { if (wanted === now) free() }
    }

    private companion object {
        /** So long a choice has to stand: a slider on its way loads nothing. */
        const val REST_MILLIS = 300L
    }
}
