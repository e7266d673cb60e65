package io.pocketgemma.chat.history

import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.ListView
import android.widget.PopupMenu
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.export.ExportFormat
import io.pocketgemma.chat.export.ExportTarget
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.AfterTextChanged
import io.pocketgemma.chat.ui.Page
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.Watch
import io.pocketgemma.chat.ui.addItem
import io.pocketgemma.chat.ui.header
import io.pocketgemma.chat.ui.inflate
import io.pocketgemma.chat.ui.onClick
import io.pocketgemma.chat.ui.showIf
import io.pocketgemma.chat.ui.showTitleDialog

/** The conversation on the chat page, as the list of conversations shows and changes it. */
interface CurrentConversation {
    val id: Long

    fun open(id: Long)

    fun startNew()
}

/** All conversations, newest first. */
class ChatsPage(
    parent: ViewGroup,
    private val history: Store<HistoryState, HistoryEvent>,
    private val current: CurrentConversation,
    private val shell: Shell,
) : Page {
    override val view: View = inflate(R.layout.chats, parent)
    private val search: EditText = view.findViewById(R.id.search)
    private val clear: View = view.findViewById(R.id.clear_search)
    private val nothing: TextView = view.findViewById(R.id.no_chats)
    private val adapter = ConversationListAdapter(parent.context, ::open, ::more)
    private val watch = Watch()

    init {
        view.header(Screen.CHATS, shell)
        view.findViewById<ListView>(R.id.chat_list).adapter = adapter
        view.onClick(R.id.new_chat_here, ::newChat)
        clear.setOnClickListener { search.setText("") }
        search.addTextChangedListener(
            AfterTextChanged {
                val query = search.text.toString()
                if (query != history.state.query) history.dispatch(HistoryEvent.Search(query))
                clear.showIf(query.isNotEmpty())
            },
        )
    }

    override fun show() {
        history.dispatch(HistoryEvent.Refresh)
        watch.on(history, ::render)
    }

    override fun hide() = watch.close()

    override fun back(): Boolean {
        if (history.state.query.isEmpty()) return false
        search.setText("")
        return true
    }

    private fun render(state: HistoryState) {
        if (search.text.toString() != state.query) search.setText(state.query)
        adapter.show(state.conversations, current.id)
        nothing.showIf(state.loaded && state.conversations.isEmpty())
        nothing.setText(if (state.query.isEmpty()) R.string.no_chats else R.string.nothing_found)
    }

    private fun newChat() {
        current.startNew()
        shell.open(Screen.CHAT)
    }

    private fun open(line: ConversationListItem) {
        current.open(line.id)
        shell.open(Screen.CHAT)
    }

    private fun more(line: ConversationListItem, anchor: View) {
        val popup = PopupMenu(anchor.context, anchor)
        popup.menu.addItem(R.string.rename) {
            showTitleDialog(anchor.context, line.title) { history.dispatch(HistoryEvent.Rename(line.id, it)) }
        }
        popup.menu.addItem(R.string.share_chat) { export(line, ExportFormat.TEXT, ExportTarget.SHARE) }
        popup.menu.addItem(R.string.export_markdown) { export(line, ExportFormat.MARKDOWN, ExportTarget.SAVE) }
        popup.menu.addItem(R.string.export_text) { export(line, ExportFormat.TEXT, ExportTarget.SAVE) }
        popup.menu.addItem(R.string.delete) { history.dispatch(HistoryEvent.Delete(line.id)) }
        popup.show()
    }

    private fun export(line: ConversationListItem, format: ExportFormat, target: ExportTarget) =
        history.dispatch(HistoryEvent.Export(line.id, format, target))
}
