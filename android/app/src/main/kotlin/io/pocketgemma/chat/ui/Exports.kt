package io.pocketgemma.chat.ui

import io.pocketgemma.chat.Store
import io.pocketgemma.chat.history.Export
import io.pocketgemma.chat.history.ExportFormat
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.history.HistoryState

/** Asks for a conversation as text, and hands it to the system when it has been read. */
class Exports(private val history: Store<HistoryState, HistoryEvent>, private val shell: Shell) {
    /** What to do with it; "save as" also for one that was asked for before the phone was turned. */
    private var handOn: (Export) -> Unit = shell::save

    fun share(conversation: Long) = ask(conversation, ExportFormat.TEXT, shell::share)

    fun save(conversation: Long, format: ExportFormat) = ask(conversation, format, shell::save)

    /** To be told the state while the page is in front. */
    fun hear(state: HistoryState) {
        val export = state.export ?: return
        history.dispatch(HistoryEvent.Exported)
        handOn(export)
    }

    private fun ask(conversation: Long, format: ExportFormat, then: (Export) -> Unit) {
        handOn = then
        history.dispatch(HistoryEvent.Export(conversation, format))
    }
}
