package io.pocketgemma.chat.chat

import android.view.View
import android.widget.PopupMenu
import io.pocketgemma.chat.R
import io.pocketgemma.chat.export.ExportFormat
import io.pocketgemma.chat.export.ExportTarget
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.addItem
import io.pocketgemma.chat.ui.showTitleDialog
import io.pocketgemma.chat.ui.titleOf

/** Actions for the whole conversation, and links to the other pages. */
class ChatMenu(private val stores: ChatPageStores, private val shell: Shell) {
    fun open(anchor: View) {
        val popup = PopupMenu(anchor.context, anchor)
        val chat = stores.chat.state
        val somethingSaid = chat.messages.isNotEmpty()
        popup.menu.addItem(R.string.rename, somethingSaid) {
            showTitleDialog(anchor.context, chat.title) { stores.chat.dispatch(ChatEvent.Rename(it)) }
        }
        popup.menu.addItem(R.string.share_chat, somethingSaid) { export(ExportFormat.TEXT, ExportTarget.SHARE) }
        popup.menu.addItem(R.string.export_markdown, somethingSaid) { export(ExportFormat.MARKDOWN, ExportTarget.SAVE) }
        popup.menu.addItem(R.string.export_text, somethingSaid) { export(ExportFormat.TEXT, ExportTarget.SAVE) }
        for (screen in listOf(Screen.COMPARE, Screen.MODELS, Screen.SETTINGS, Screen.BENCHMARK, Screen.ABOUT)) {
            popup.menu.addItem(titleOf(screen)) { shell.open(screen) }
        }
        popup.show()
    }

    private fun export(format: ExportFormat, target: ExportTarget) =
        stores.history.dispatch(HistoryEvent.Export(stores.chat.state.conversation, format, target))
}
