package io.pocketgemma.chat.ui

import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.Stores
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.newConversationId

/** Makes the page of a screen; [parent] is where its view will be put. */
fun page(screen: Screen, parent: ViewGroup, stores: Stores, shell: Shell): Page = when (screen) {
    Screen.CHAT -> ChatPage(parent, stores, shell)
    Screen.CHATS -> ChatsPage(parent, stores, shell)
    Screen.MODELS -> ModelsPage(parent, stores, shell)
    Screen.SETTINGS -> SettingsPage(parent, stores, shell)
    Screen.COMPARE -> ComparePage(parent, stores, shell)
    Screen.BENCHMARK -> BenchmarkPage(parent, stores, shell)
    Screen.ABOUT -> AboutPage(parent, stores, shell)
}

/** What the screen is called, in its header and by TalkBack. */
fun titleOf(screen: Screen): Int = when (screen) {
    Screen.CHAT -> R.string.page_chat
    Screen.CHATS -> R.string.page_chats
    Screen.MODELS -> R.string.page_models
    Screen.COMPARE -> R.string.page_compare
    Screen.SETTINGS -> R.string.page_settings
    Screen.BENCHMARK -> R.string.page_benchmark
    Screen.ABOUT -> R.string.page_about
}

/** Fills layout/page_header.xml, wherever it is included in this page. */
fun View.header(screen: Screen, shell: Shell) {
    findViewById<TextView>(R.id.page_title).setText(titleOf(screen))
    findViewById<View>(R.id.page_back).setOnClickListener { shell.back() }
}

fun Stores.newChat() = chat.dispatch(ChatEvent.NewChat(newConversationId()))
