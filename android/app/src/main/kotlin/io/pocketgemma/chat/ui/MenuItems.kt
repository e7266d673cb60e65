package io.pocketgemma.chat.ui

import android.view.Menu

/** Adds something to choose; its title is its id, too. */
internal fun Menu.offer(title: Int, enabled: Boolean = true, act: () -> Unit) {
    add(Menu.NONE, title, Menu.NONE, title).setEnabled(enabled).setOnMenuItemClickListener {
        act()
        true
    }
}
