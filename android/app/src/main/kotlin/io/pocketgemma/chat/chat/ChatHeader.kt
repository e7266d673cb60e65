package io.pocketgemma.chat.chat

import android.view.View
import android.widget.ProgressBar
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.Texts
import io.pocketgemma.chat.ui.onClick
import kotlin.math.roundToInt

/** The header of the chat: its title, the model, and buttons for the chat list, a new chat, and the menu. */
class ChatHeader(
    page: View,
    private val texts: ChatTexts,
    openMenu: (View) -> Unit,
    openPicker: () -> Unit,
    stores: ChatPageStores,
    shell: Shell,
) {
    private val who: View = page.findViewById(R.id.who)
    private val title: TextView = page.findViewById(R.id.title)
    private val status: TextView = page.findViewById(R.id.status)
    private val newChat: View = page.findViewById(R.id.new_chat)
    private val progress: ProgressBar = page.findViewById(R.id.progress)
    private val names = Texts(page.context)

    init {
        who.setOnClickListener { openPicker() }
        newChat.setOnClickListener { stores.chat.newChat() }
        page.onClick(R.id.open_chats) { shell.open(Screen.CHATS) }
        page.findViewById<View>(R.id.more).setOnClickListener(openMenu)
        if (page.resources.configuration.fontScale > LARGE) {
            page.findViewById<View>(R.id.avatar).visibility = View.GONE
            title.maxLines = 2
            status.maxLines = LARGE_LINES
        }
    }

    fun render(chat: ChatState, model: ModelState, library: LibraryState, selection: Selection?) {
        val answers = library.model(selection?.model)?.let { names.selectionName(library, selection) }
        val isBeside = answers != null && chat.title.isNotEmpty()
        val state = texts.status(model, isBeside).takeIf { library.loaded && selection != null }
        title.show(chat.title.ifEmpty { answers ?: title.resources.getString(R.string.app_name) })
        val both = if (answers != null && isBeside) twoParts(answers, state, model) else state ?: answers.orEmpty()
        // TalkBack would read out every step of a progress percentage.
        val counts = model is ModelState.Loading && model.progress != null
        status.accessibilityLiveRegion = if (counts) View.ACCESSIBILITY_LIVE_REGION_NONE else View.ACCESSIBILITY_LIVE_REGION_POLITE
        status.show(both)
        who.contentDescription = title.resources.getString(R.string.choose_who_answers, title.text, both)
        newChat.isEnabled = !chat.isNew
        renderProgress(model)
    }

    /** States that need patience or action come first, because the line may be cut off. */
    private fun twoParts(answers: String, state: String?, model: ModelState): String = when {
        state == null -> answers
        model is ModelState.Ready && !model.fellBack -> status.resources.getString(R.string.two_parts, answers, state)
        else -> status.resources.getString(R.string.two_parts, state, answers)
    }

    private fun renderProgress(model: ModelState) {
        progress.visibility = if (model is ModelState.Loading) View.VISIBLE else View.INVISIBLE
        val share = (model as? ModelState.Loading)?.progress
        progress.isIndeterminate = share == null
        if (share != null) progress.progress = (share * progress.max).roundToInt()
    }

    private fun TextView.show(words: String) {
        if (text.toString() != words) text = words
    }

    private companion object {
        /** From this font scale, there is no room for the avatar. */
        const val LARGE = 1.3f
        const val LARGE_LINES = 3
    }
}
