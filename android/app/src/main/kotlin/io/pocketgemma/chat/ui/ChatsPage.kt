package io.pocketgemma.chat.ui

import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.ListView
import android.widget.PopupMenu
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.Stores
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.history.ConversationLine
import io.pocketgemma.chat.history.ExportFormat
import io.pocketgemma.chat.history.ExportWay
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.history.HistoryState

/** All conversations, the newest first. */
class ChatsPage(parent: ViewGroup, private val stores: Stores, private val shell: Shell) : Page {
    override val view: View = inflate(R.layout.chats, parent)
    private val search: EditText = view.findViewById(R.id.search)
    private val clear: View = view.findViewById(R.id.clear_search)
    private val nothing: TextView = view.findViewById(R.id.no_chats)
    private val adapter = ConversationAdapter(parent.context, ::open, ::more)
    private val watch = Watch()

    init {
        view.header(Screen.CHATS, shell)
        view.findViewById<ListView>(R.id.chat_list).adapter = adapter
        view.onClick(R.id.new_chat_here, ::newChat)
        clear.setOnClickListener { search.setText("") }
        search.addTextChangedListener(
            AfterTextChanged {
                val query = search.text.toString()
                if (query != stores.history.state.query) stores.history.dispatch(HistoryEvent.Search(query))
                clear.showIf(query.isNotEmpty())
            },
        )
    }

    override fun show() {
        stores.history.dispatch(HistoryEvent.Refresh)
        watch.on(stores.history, ::render)
    }

    override fun hide() = watch.close()

    override fun back(): Boolean {
        if (stores.history.state.query.isEmpty()) return false
        search.setText("")
        return true
    }

    private fun render(history: HistoryState) {
        if (search.text.toString() != history.query) search.setText(history.query)
        adapter.show(history.conversations, stores.chat.state.conversation)
        nothing.showIf(history.loaded && history.conversations.isEmpty())
        nothing.setText(if (history.query.isEmpty()) R.string.no_chats else R.string.nothing_found)
    }

    private fun newChat() {
        stores.newChat()
        shell.open(Screen.CHAT)
    }

    private fun open(line: ConversationLine) {
        stores.chat.dispatch(ChatEvent.Open(line.id))
        shell.open(Screen.CHAT)
    }

    private fun more(line: ConversationLine, anchor: View) {
        val popup = PopupMenu(anchor.context, anchor)
        popup.menu.offer(R.string.rename) {
            askForTitle(anchor.context, line.title) { stores.history.dispatch(HistoryEvent.Rename(line.id, it)) }
        }
        popup.menu.offer(R.string.share_chat) { export(line, ExportFormat.TEXT, ExportWay.SHARE) }
        popup.menu.offer(R.string.export_markdown) { export(line, ExportFormat.MARKDOWN, ExportWay.SAVE) }
        popup.menu.offer(R.string.export_text) { export(line, ExportFormat.TEXT, ExportWay.SAVE) }
        popup.menu.offer(R.string.delete) { stores.history.dispatch(HistoryEvent.Delete(line.id)) }
        popup.show()
    }

    private fun export(line: ConversationLine, format: ExportFormat, way: ExportWay) =
        stores.history.dispatch(HistoryEvent.Export(line.id, format, way))
}
