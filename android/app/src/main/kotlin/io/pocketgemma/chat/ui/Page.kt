package io.pocketgemma.chat.ui

import android.view.View
import io.pocketgemma.chat.export.Export

enum class Screen { CHAT, CHATS, MODELS, COMPARE, SETTINGS, BENCHMARK, ABOUT }

/** One screen. Made when it is first opened; goes with the activity. Everything that must last longer is in a store. */
interface Page {
    val view: View

    /** It comes to the front: observe what it shows. */
    fun show()

    /** It is covered or goes: stop observing. */
    fun hide()

    /** True when the page itself had something to close. */
    fun back(): Boolean = false
}

/** What a page can ask of the activity around it. */
interface Shell {
    /** Opens a page over this one; CHAT goes back to the chat. */
    fun open(screen: Screen)

    fun back()

    /** The system's file picker, for a model or an adapter. */
    fun pickFile()

    /** The system's share sheet. */
    fun share(text: String, title: String)

    fun share(export: Export)

    /** The system's "save as". */
    fun save(export: Export)

    fun copy(text: String)

    /** A line at the bottom that goes by itself, with one thing to do about it. [gone] is called when it went without that. */
    fun notice(text: String, action: String? = null, gone: () -> Unit = {}, act: () -> Unit = {})
}
