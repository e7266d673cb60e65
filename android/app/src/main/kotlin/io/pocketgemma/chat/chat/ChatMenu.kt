package io.pocketgemma.chat.chat

import android.view.View
import android.widget.PopupMenu
import io.pocketgemma.chat.R
import io.pocketgemma.chat.export.ExportFormat
import io.pocketgemma.chat.export.ExportWay
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.askForTitle
import io.pocketgemma.chat.ui.offer
import io.pocketgemma.chat.ui.titleOf

/** Actions for the whole conversation, and links to the other pages. */
class ChatMenu(private val stores: ChatPageStores, private val shell: Shell) {
    fun open(anchor: View) {
        val popup = PopupMenu(anchor.context, anchor)
        val chat = stores.chat.state
        val somethingSaid = chat.messages.isNotEmpty()
        popup.menu.offer(R.string.rename, somethingSaid) {
            askForTitle(anchor.context, chat.title) { stores.chat.dispatch(ChatEvent.Rename(it)) }
        }
        popup.menu.offer(R.string.share_chat, somethingSaid) { export(ExportFormat.TEXT, ExportWay.SHARE) }
        popup.menu.offer(R.string.export_markdown, somethingSaid) { export(ExportFormat.MARKDOWN, ExportWay.SAVE) }
        popup.menu.offer(R.string.export_text, somethingSaid) { export(ExportFormat.TEXT, ExportWay.SAVE) }
        for (screen in listOf(Screen.COMPARE, Screen.MODELS, Screen.SETTINGS, Screen.BENCHMARK, Screen.ABOUT)) {
            popup.menu.offer(titleOf(screen)) { shell.open(screen) }
        }
        popup.show()
    }

    private fun export(format: ExportFormat, way: ExportWay) =
        stores.history.dispatch(HistoryEvent.Export(stores.chat.state.conversation, format, way))
}
