package io.pocketgemma.chat.ui

import android.view.Menu

/** Adds a menu item; its title is also its id. */
internal fun Menu.addItem(title: Int, enabled: Boolean = true, act: () -> Unit) {
    add(Menu.NONE, title, Menu.NONE, title).setEnabled(enabled).setOnMenuItemClickListener {
        act()
        true
    }
}
