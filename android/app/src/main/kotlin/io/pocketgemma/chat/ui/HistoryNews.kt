package io.pocketgemma.chat.ui

import android.content.res.Resources
import io.pocketgemma.chat.R
import io.pocketgemma.chat.Store
import io.pocketgemma.chat.history.ConversationLine
import io.pocketgemma.chat.history.Export
import io.pocketgemma.chat.history.ExportFormat
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.history.HistoryState
import io.pocketgemma.chat.history.StorageTrouble

/** What comes back from the storage for the person, whichever page is in front: an export, the way back for what was deleted, trouble. */
class HistoryNews(private val history: Store<HistoryState, HistoryEvent>, private val shell: Shell, private val resources: Resources) {
    /** What to do with an export; "save as" also for one that was asked for before the phone was turned. */
    private var handOn: (Export) -> Unit = shell::save
    private var noticed: ConversationLine? = null

    fun share(conversation: Long) = ask(conversation, ExportFormat.TEXT, shell::share)

    fun save(conversation: Long, format: ExportFormat) = ask(conversation, format, shell::save)

    /** To be told the state while the page is in front. */
    fun hear(state: HistoryState) {
        state.export?.let {
            history.dispatch(HistoryEvent.Exported)
            handOn(it)
        }
        state.trouble?.let {
            history.dispatch(HistoryEvent.TroubleNoted)
            shell.notice(sentence(it))
        }
        if (state.deleted != noticed) {
            noticed = state.deleted
            state.deleted?.let(::offerUndo)
        }
    }

    private fun ask(conversation: Long, format: ExportFormat, then: (Export) -> Unit) {
        handOn = then
        history.dispatch(HistoryEvent.Export(conversation, format))
    }

    private fun offerUndo(deleted: ConversationLine) {
        // Another one may be deleted before this notice goes.
        val over = { if (history.state.deleted == deleted) history.dispatch(HistoryEvent.UndoOver) }
        val title = deleted.title.ifEmpty { resources.getString(R.string.untitled) }
        shell.notice(resources.getString(R.string.chat_deleted, title), resources.getString(R.string.undo), over) {
            history.dispatch(HistoryEvent.Undo)
        }
    }

    private fun sentence(trouble: StorageTrouble): String = when (trouble) {
        is StorageTrouble.Damaged -> resources.getString(R.string.storage_damaged, trouble.file)
        is StorageTrouble.NotRead -> resources.getString(R.string.storage_not_read, trouble.detail)
        is StorageTrouble.NotWritten -> resources.getString(R.string.storage_not_written, trouble.detail)
    }
}
