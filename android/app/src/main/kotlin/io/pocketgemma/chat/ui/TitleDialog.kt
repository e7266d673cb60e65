package io.pocketgemma.chat.ui

import android.app.AlertDialog
import android.content.Context
import android.view.LayoutInflater
import android.view.WindowManager
import android.widget.EditText
import io.pocketgemma.chat.R

/** Asks for a conversation's title. */
fun showTitleDialog(context: Context, title: String, named: (String) -> Unit) {
    val view = LayoutInflater.from(context).inflate(R.layout.title_dialog, null)
    val field = view.findViewById<EditText>(R.id.title_field)
    field.setText(title)
    field.selectAll()
    val dialog = AlertDialog.Builder(context).setTitle(R.string.rename).setView(view)
        .setNegativeButton(R.string.cancel, null)
        .setPositiveButton(R.string.save_title) { _, _ -> named(field.text.toString().trim()) }
        .create()
    field.setOnEditorActionListener { _, _, _ ->
        dialog.getButton(AlertDialog.BUTTON_POSITIVE).performClick()
    }
    dialog.window?.setSoftInputMode(WindowManager.LayoutParams.SOFT_INPUT_STATE_VISIBLE)
    dialog.show()
    dialog.dismissWith(context)
    field.requestFocus()
}
