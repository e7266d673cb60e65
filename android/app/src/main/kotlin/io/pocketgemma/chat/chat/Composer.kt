package io.pocketgemma.chat.chat

import android.view.KeyEvent
import android.view.View
import android.view.inputmethod.InputMethodManager
import android.widget.EditText
import android.widget.ImageButton
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.ui.AfterTextChanged
import io.pocketgemma.chat.ui.onClick
import io.pocketgemma.chat.ui.showIf

/** The text field with one button: an arrow that sends, or a square that stops the reply in progress. */
class Composer(page: View, private val dispatch: (ChatEvent) -> Unit) {
    private val input: EditText = page.findViewById(R.id.input)
    private val send: ImageButton = page.findViewById(R.id.send)
    private val editing: View = page.findViewById(R.id.editing)
    private var state = ChatState(conversation = 0)
    private var canAsk = false
    private var rendering = false

    init {
        send.setOnClickListener { if (isBusy) dispatch(ChatEvent.Stop) else ask() }
        page.onClick(R.id.cancel_edit) { dispatch(ChatEvent.CancelEdit) }
        input.setOnKeyListener { _, _, key -> key.isSendKey() && ask().let { true } }
        input.addTextChangedListener(
            AfterTextChanged {
                if (!rendering) dispatch(ChatEvent.DraftChanged(input.text.toString()))
                renderSend()
            },
        )
    }

    private val isBusy: Boolean get() = state.activeReply != null || state.summarising

    fun render(new: ChatState, canAsk: Boolean) {
        val startsEditing = new.editing && !state.editing
        state = new
        this.canAsk = canAsk
        if (input.text.toString() != new.draft) {
            rendering = true
            input.setText(new.draft)
            input.setSelection(input.length())
            rendering = false
        }
        editing.showIf(new.editing)
        renderSend()
        if (startsEditing) {
            input.requestFocus()
            input.context.getSystemService(InputMethodManager::class.java).showSoftInput(input, 0)
        }
    }

    private fun renderSend() {
        val stops = isBusy
        send.setImageResource(if (stops) R.drawable.icon_stop else R.drawable.icon_send)
        send.contentDescription = send.resources.getString(if (stops) R.string.stop else R.string.send)
        val isStopping = state.activeReply.let { it != null && (it.status as? ReplyStatus.Active)?.stopping == true }
        send.isEnabled = if (stops) !isStopping else canAsk && state.canAsk && input.text.isNotBlank()
    }

    private fun ask() {
        if (canAsk && state.canAsk && input.text.isNotBlank()) dispatch(ChatEvent.Ask(input.text.toString()))
    }

    /** Enter on a hardware keyboard sends. With Shift, and on the on-screen keyboard, it inserts a line break. */
    private fun KeyEvent.isSendKey(): Boolean {
        val isEnter = keyCode == KeyEvent.KEYCODE_ENTER || keyCode == KeyEvent.KEYCODE_NUMPAD_ENTER
        return isEnter && action == KeyEvent.ACTION_DOWN && !isShiftPressed && flags and KeyEvent.FLAG_SOFT_KEYBOARD == 0
    }
}
