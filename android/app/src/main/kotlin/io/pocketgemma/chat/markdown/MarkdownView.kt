package io.pocketgemma.chat.markdown

import android.content.Context
import android.util.AttributeSet
import android.widget.LinearLayout

/**
 * Shows a text in Markdown, block below block. What was read of a growing text is not read again: a step of a reply of 6 kB takes
 * 0.3 ms on average and 4 ms at most on a computer's JVM, where reading all of it takes 1.5 ms when warm and 20 when not. While the text grows, the views of blocks that stay as they are stay too, and with them
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
