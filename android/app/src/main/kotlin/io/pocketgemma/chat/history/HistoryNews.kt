package io.pocketgemma.chat.history

import android.content.res.Resources
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ConversationLine
import io.pocketgemma.chat.conversation.StorageTrouble
import io.pocketgemma.chat.export.ExportWay
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.Shell

/**
 * Shows what the storage reports: exports, undo after a deletion, problems. There is one instance for the activity: two would each report
 * the same deletion, and the second notice would end the undo period of the first.
 */
class HistoryNews(private val history: Store<HistoryState, HistoryEvent>, private val shell: Shell, private val resources: Resources) {
    private var noticed: ConversationLine? = null

    /** Called with the state while the activity is visible, whichever page is in front. */
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

    private fun handOn(answer: ExportAnswer) {
        val export = answer.export
        when {
            export == null -> shell.notice(resources.getString(R.string.export_impossible))
            answer.asked.way == ExportWay.SHARE -> shell.share(export)
            else -> shell.save(export)
        }
    }

    private fun offerUndo(deleted: ConversationLine) {
        // Another conversation may be deleted before this notice disappears.
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
