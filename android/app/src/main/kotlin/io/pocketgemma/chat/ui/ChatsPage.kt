package io.pocketgemma.chat.ui

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import io.pocketgemma.chat.R
import io.pocketgemma.chat.Stores

class ChatsPage(parent: ViewGroup, stores: Stores, shell: Shell) : Page {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.page_header, parent, false).apply { header(Screen.CHATS, shell) }

    override fun show() = Unit

    override fun hide() = Unit
}
