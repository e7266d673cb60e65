package io.pocketgemma.chat.ui

import android.view.KeyEvent
import android.view.View
import android.view.inputmethod.EditorInfo
import android.widget.EditText
import android.widget.ImageButton
import android.widget.ProgressBar
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.chat.ModelState

/** The chat: shows a [ChatState], and turns what the person does into events. Holds no state but what stands in the text field. */
class ChatScreen(root: View, private val texts: Texts, private val dispatch: (ChatEvent) -> Unit) {
    private val title: TextView = root.findViewById(R.id.title)
    private val status: TextView = root.findViewById(R.id.status)
    private val newChat: ImageButton = root.findViewById(R.id.new_chat)
    private val progress: ProgressBar = root.findViewById(R.id.progress)
    private val empty: View = root.findViewById(R.id.empty)
    private val description: TextView = root.findViewById(R.id.description)
    private val samples = SampleQuestions(root) { dispatch(ChatEvent.Ask(it)) }
    private val problem: View = root.findViewById(R.id.problem)
    private val problemText: TextView = root.findViewById(R.id.problem_text)
    private val messageScroll: View = root.findViewById(R.id.message_scroll)
    private val messages = MessageList(root.findViewById(R.id.message_scroll), root.findViewById(R.id.messages), texts)
    private val input: EditText = root.findViewById(R.id.input)
    private val send: ImageButton = root.findViewById(R.id.send)
    private var state = ChatState()

    init {
        newChat.setOnClickListener { dispatch(ChatEvent.NewChat) }
        root.findViewById<View>(R.id.try_again).setOnClickListener { dispatch(ChatEvent.LoadAgain) }
        send.setOnClickListener { if (state.activeReply != null) dispatch(ChatEvent.Stop) else ask() }
        // One line to the keyboard, so that Enter sends, but several on the screen.
        input.setHorizontallyScrolling(false)
        input.maxLines = MOST_INPUT_LINES
        input.setOnEditorActionListener { _, action, key ->
            val send = action == EditorInfo.IME_ACTION_SEND || key.isEnterDown()
            if (send) ask()
            send
        }
        input.addTextChangedListener(AfterTextChanged { renderSend() })
    }

    fun render(new: ChatState) {
        state = new
        title.text = new.manifest?.name ?: title.resources.getString(R.string.app_name)
        status.text = texts.status(new.model)
        renderProgress(new.model)
        val failed = new.model as? ModelState.Failed
        problem.show(failed != null)
        problemText.text = failed?.let { texts.problem(it.problem) }
        empty.show(failed == null && new.messages.isEmpty())
        messageScroll.show(failed == null && new.messages.isNotEmpty())
        newChat.isEnabled = new.messages.isNotEmpty()
        newChat.imageAlpha = if (newChat.isEnabled) OPAQUE else FADED
        description.text = new.manifest?.description ?: description.resources.getString(R.string.empty_text)
        samples.render(new)
        messages.render(new.messages)
        renderSend()
    }

    private fun renderProgress(model: ModelState) {
        progress.visibility = if (model is ModelState.Loading) View.VISIBLE else View.INVISIBLE
        val share = (model as? ModelState.Loading)?.progress
        progress.isIndeterminate = share == null
        if (share != null) progress.progress = (share * progress.max).toInt()
    }

    /** One button: an arrow that sends, or a square that stops the reply under way. */
    private fun renderSend() {
        val reply = state.activeReply
        send.setImageResource(if (reply == null) R.drawable.icon_send else R.drawable.icon_stop)
        send.contentDescription = send.resources.getString(if (reply == null) R.string.send else R.string.stop)
        send.isEnabled = reply != null || (state.canSend && input.text.isNotBlank())
    }

    private fun ask() {
        if (!state.canSend || input.text.isBlank()) return
        val question = input.text.toString()
        input.text.clear()
        dispatch(ChatEvent.Ask(question))
    }

    private fun KeyEvent?.isEnterDown() = this != null && keyCode == KeyEvent.KEYCODE_ENTER && action == KeyEvent.ACTION_DOWN

    private fun View.show(shown: Boolean) {
        visibility = if (shown) View.VISIBLE else View.GONE
    }

    private companion object {
        const val MOST_INPUT_LINES = 5
        const val OPAQUE = 255
        const val FADED = 90
    }
}
