package io.pocketgemma.chat

import android.view.ViewGroup
import io.pocketgemma.chat.about.AboutPage
import io.pocketgemma.chat.benchmark.BenchmarkPage
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.ChatPage
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.chat.newChat
import io.pocketgemma.chat.compare.ComparePage
import io.pocketgemma.chat.history.ChatsPage
import io.pocketgemma.chat.history.CurrentConversation
import io.pocketgemma.chat.models.ModelsPage
import io.pocketgemma.chat.settings.SettingsPage
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.Page
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell

/** Creates the page of a screen; [parent] is the view that it will be added to. */
fun page(screen: Screen, parent: ViewGroup, stores: Stores, shell: Shell): Page = when (screen) {
    Screen.CHAT -> ChatPage(parent, stores, shell)
    Screen.CHATS -> ChatsPage(parent, stores.history, stores.chat.asCurrentConversation(), shell)
    Screen.MODELS -> ModelsPage(parent, stores, shell)
    Screen.SETTINGS -> SettingsPage(parent, stores, shell)
    Screen.COMPARE -> ComparePage(parent, stores, shell)
    Screen.BENCHMARK -> BenchmarkPage(parent, stores, shell)
    Screen.ABOUT -> AboutPage(parent, stores, shell)
}

private fun Store<ChatState, ChatEvent>.asCurrentConversation() = object : CurrentConversation {
    override val id get() = state.conversation

    override fun open(id: Long) = dispatch(ChatEvent.Open(id))

    override fun startNew() = newChat()
}
