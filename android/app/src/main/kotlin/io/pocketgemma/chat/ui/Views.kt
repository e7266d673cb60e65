package io.pocketgemma.chat.ui

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup

internal fun inflate(layout: Int, parent: ViewGroup): View = LayoutInflater.from(parent.context).inflate(layout, parent, false)

internal fun View.showIf(shown: Boolean) {
    visibility = if (shown) View.VISIBLE else View.GONE
}

internal fun View.onClick(id: Int, act: () -> Unit) = findViewById<View>(id).setOnClickListener { act() }
