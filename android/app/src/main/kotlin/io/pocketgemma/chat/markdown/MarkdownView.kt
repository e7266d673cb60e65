package io.pocketgemma.chat.markdown

import android.content.Context
import android.util.AttributeSet
import android.widget.LinearLayout

/**
 * Shows a text in Markdown, block below block. While the text grows, the views of blocks that stay as they are stay too, and with them
 * what is selected there.
 *
 * Main thread only.
 */
class MarkdownView @JvmOverloads constructor(context: Context, attributes: AttributeSet? = null) : LinearLayout(context, attributes) {
    /** Hears the text of a block of code whose copy button was tapped. */
    var onCopy: (String) -> Unit = {}

    private val reader = MarkdownReader()
    private val blocks = BlockViews(this) { onCopy(it) }

    init {
        orientation = VERTICAL
    }

    /** [streaming]: the text is still being written; what is unfinished at its end is shown as what it is about to be. */
    fun show(text: String, streaming: Boolean) = blocks.show(reader.read(text, streaming))
}
