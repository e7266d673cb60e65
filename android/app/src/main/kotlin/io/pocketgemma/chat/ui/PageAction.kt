package io.pocketgemma.chat.ui

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.ImageButton
import io.pocketgemma.chat.R

/** Adds an icon to the header of this page, for an action on the whole page. */
fun View.headerAction(id: Int, icon: Int, label: Int, act: () -> Unit): View {
    val actions = findViewById<ViewGroup>(R.id.page_actions)
    val button = LayoutInflater.from(context).inflate(R.layout.page_action, actions, false) as ImageButton
    button.id = id
    button.setImageResource(icon)
    button.contentDescription = context.getString(label)
    button.setOnClickListener { act() }
    actions.addView(button)
    return button
}
