package io.pocketgemma.chat.chat

import android.app.AlertDialog
import android.content.Context
import android.view.LayoutInflater
import android.view.View
import android.widget.PopupMenu
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.newConversationId
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.addItem
import io.pocketgemma.chat.ui.dismissWith

/** Actions of the buttons in a conversation, and the screen's own state of the rows. */
class ChatActions(
    private val stores: ChatPageStores,
    private val shell: Shell,
    private val context: Context,
    private val changed: () -> Unit,
) : RowActions {
    var metricsOf: Set<Long> = emptySet()
        private set
    var summaryIsOpen = false
        private set

    override fun copy(text: String) = shell.copy(text)

    override fun edit() = stores.chat.dispatch(ChatEvent.Edit)

    override fun share(row: Row.Reply) = shell.share(row.reply.text, stores.chat.state.title.ifEmpty { context.getString(R.string.app_name) })

    override fun regenerate() = stores.chat.dispatch(ChatEvent.Regenerate)

    override fun more(row: Row.Reply, anchor: View) {
        val popup = PopupMenu(context, anchor)
        if (row.reply.metrics != null && !stores.settings.state.settings.showMetrics) {
            popup.menu.addItem(if (row.showsMetrics) R.string.hide_numbers else R.string.show_numbers) { toggleMetrics(row.reply) }
        }
        popup.menu.addItem(R.string.select_text) { selectText(row.reply) }
        popup.show()
    }

    override fun continueWithSummary() = stores.chat.dispatch(ChatEvent.ContinueWithSummary(newConversationId()))

    /** Carries the question that did not fit over to the new chat. */
    override fun continueInNewChat() =
        stores.chat.dispatch(ChatEvent.NewChat(newConversationId(), stores.chat.state.questionTooMany?.text.orEmpty()))

    override fun toggleSummary() {
        summaryIsOpen = !summaryIsOpen
        changed()
    }

    override fun stop() = stores.chat.dispatch(ChatEvent.Stop)

    /** If a question has no reply yet, asks it again, which also loads the model. */
    override fun tryAgain() {
        val last = stores.chat.state.messages.lastOrNull() as? Message.Reply
        if (last?.status is ReplyStatus.NoModel) regenerate() else prepare(ignoreLowMemory = false)
    }

    override fun loadAnyway() = prepare(ignoreLowMemory = true)

    override fun openModels() = shell.open(Screen.MODELS)

    private fun prepare(ignoreLowMemory: Boolean) {
        val settings = stores.settings.state.settings
        val selection = stores.library.state.present(settings.selection) ?: return
        stores.model.prepare(selection, settings.options.copy(ignoreLowMemory = ignoreLowMemory))
    }

    private fun toggleMetrics(reply: Message.Reply) {
        metricsOf = if (reply.id in metricsOf) metricsOf - reply.id else metricsOf + reply.id
        changed()
    }

    /** The whole reply as raw text in one view, because a selection cannot extend across paragraphs. */
    private fun selectText(reply: Message.Reply) {
        val view = LayoutInflater.from(context).inflate(R.layout.select_text, null)
        view.findViewById<TextView>(R.id.whole_text).text = reply.text
        AlertDialog.Builder(context).setView(view)
            .setNegativeButton(R.string.close, null)
            .setPositiveButton(R.string.copy_all) { _, _ -> copy(reply.text) }
            .show().dismissWith(context)
    }
}
