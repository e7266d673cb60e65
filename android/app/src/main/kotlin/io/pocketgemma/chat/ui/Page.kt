package io.pocketgemma.chat.ui

import android.view.View
import io.pocketgemma.chat.export.Export

enum class Screen { CHAT, CHATS, MODELS, COMPARE, SETTINGS, BENCHMARK, ABOUT }

/** One screen. Created when it is first opened; destroyed with the activity. Everything that must live longer is in a store. */
interface Page {
    val view: View

    /** The page comes to the front: observe the stores. */
    fun show()

    /** The page is covered or closed: stop observing. */
    fun hide()

    /** True if the page itself had something to close. */
    fun back(): Boolean = false
}

/** What a page can request from its activity. */
interface Shell {
    /** Opens a page on top of this one; CHAT returns to the chat. */
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

    /** A notice at the bottom that disappears after a while, with one action. [gone] is called if it disappears without the action. */
    fun notice(text: String, action: String? = null, gone: () -> Unit = {}, act: () -> Unit = {})
}
