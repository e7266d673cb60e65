package io.pocketgemma.chat.ui

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import io.pocketgemma.chat.R

/** A header alone. */
class TitlePage(screen: Screen, parent: ViewGroup, shell: Shell) : Page {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.page_header, parent, false).apply { header(screen, shell) }

    override fun show() = Unit

    override fun hide() = Unit
}
