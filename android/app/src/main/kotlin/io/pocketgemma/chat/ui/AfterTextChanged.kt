package io.pocketgemma.chat.ui

import android.text.Editable
import android.text.TextWatcher

/** A [TextWatcher] that only reports that the text has changed. */
class AfterTextChanged(private val changed: () -> Unit) : TextWatcher {
    override fun beforeTextChanged(text: CharSequence?, start: Int, count: Int, after: Int) = Unit

    override fun onTextChanged(text: CharSequence?, start: Int, before: Int, count: Int) = Unit

    override fun afterTextChanged(text: Editable?) = changed()
}
