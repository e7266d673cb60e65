package io.pocketgemma.chat.markdown

import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import io.pocketgemma.chat.R

/** A block of code, which scrolls horizontally instead of wrapping, with its language and a copy button. */
internal class CodeView(place: ViewGroup, copy: (String) -> Unit) : BlockView {
    override val view: View = inflate(place, R.layout.markdown_code)
    private val language = view.findViewById<TextView>(R.id.markdown_language)
    private val text = view.findViewById<TextView>(R.id.markdown_code_text)

    init {
        view.findViewById<View>(R.id.markdown_copy_code).setOnClickListener { copy(text.text.toString()) }
    }

    override fun show(block: Block): Boolean {
        if (block !is Block.Code) return false
        if (language.text.toString() != block.language) language.text = block.language
        if (text.text.toString() != block.text) text.text = block.text
        return true
    }
}
