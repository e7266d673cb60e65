package io.pocketgemma.chat.ui

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.PopupMenu
import io.pocketgemma.chat.R
import io.pocketgemma.chat.Stores

class ChatPage(parent: ViewGroup, stores: Stores, shell: Shell) : Page {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.chat, parent, false)

    init {
        view.findViewById<View>(R.id.new_chat).setOnClickListener { stores.newChat() }
        view.findViewById<View>(R.id.open_chats).setOnClickListener { shell.open(Screen.CHATS) }
        view.findViewById<View>(R.id.more).setOnClickListener { anchor ->
            PopupMenu(anchor.context, anchor).apply {
                for (screen in Screen.entries) menu.add(titleOf(screen)).setOnMenuItemClickListener { shell.open(screen); true }
                show()
            }
        }
    }

    override fun show() = Unit

    override fun hide() = Unit
}
