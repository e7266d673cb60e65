package io.pocketgemma.chat.history

import android.content.res.Resources
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.StorageError
import io.pocketgemma.chat.export.ExportTarget
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.Shell

/**
 * Shows what the storage reports: exports, undo after a deletion, problems. There is one instance for the activity: two would each report
 * the same deletion, and the second notice would end the undo period of the first.
 */
class HistoryNotices(private val history: Store<HistoryState, HistoryEvent>, private val shell: Shell, private val resources: Resources) {
    private var noticed: ConversationListItem? = null

    /** Called with the state while the activity is visible, whichever page is in front. */
    fun show(state: HistoryState) {
        state.export?.let {
            history.dispatch(HistoryEvent.Exported)
            deliver(it)
        }
        state.storageError?.let {
            history.dispatch(HistoryEvent.StorageErrorShown)
            shell.notice(sentence(it))
        }
        if (state.deleted != noticed) {
            noticed = state.deleted
            state.deleted?.let(::offerUndo)
        }
    }

    private fun deliver(result: ExportResult) {
        val export = result.export
        when {
            export == null -> shell.notice(resources.getString(R.string.export_impossible))
            result.request.target == ExportTarget.SHARE -> shell.share(export)
            else -> shell.save(export)
        }
    }

    private fun offerUndo(deleted: ConversationListItem) {
        // Another conversation may be deleted before this notice disappears.
        val over = { if (history.state.deleted == deleted) history.dispatch(HistoryEvent.UndoOver) }
        val title = deleted.title.ifEmpty { resources.getString(R.string.untitled) }
        shell.notice(resources.getString(R.string.chat_deleted, title), resources.getString(R.string.undo), over) {
            history.dispatch(HistoryEvent.Undo)
        }
    }

    private fun sentence(storageError: StorageError): String = when (storageError) {
        is StorageError.Damaged -> resources.getString(R.string.storage_damaged, storageError.file)
        is StorageError.NotRead -> resources.getString(R.string.storage_not_read, storageError.detail)
        is StorageError.NotWritten -> resources.getString(R.string.storage_not_written, storageError.detail)
    }
}
