package io.pocketgemma.chat.ui

import android.view.View
import android.widget.TextView
import io.pocketgemma.chat.R

/** The title of the screen, in its header and for TalkBack. */
fun titleOf(screen: Screen): Int = when (screen) {
    Screen.CHAT -> R.string.page_chat
    Screen.CHATS -> R.string.page_chats
    Screen.MODELS -> R.string.page_models
    Screen.COMPARE -> R.string.page_compare
    Screen.SETTINGS -> R.string.page_settings
    Screen.BENCHMARK -> R.string.page_benchmark
    Screen.ABOUT -> R.string.page_about
}

/** Fills layout/page_header.xml, which this page includes. */
fun View.header(screen: Screen, shell: Shell) {
    findViewById<TextView>(R.id.page_title).setText(titleOf(screen))
    findViewById<View>(R.id.page_back).setOnClickListener { shell.back() }
}
