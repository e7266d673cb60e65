package io.pocketgemma.chat.markdown

import android.graphics.Typeface
import android.text.SpannableString
import android.text.Spanned
import android.text.style.BackgroundColorSpan
import android.text.style.StrikethroughSpan
import android.text.style.StyleSpan
import android.text.style.TypefaceSpan
import android.text.style.UnderlineSpan
import android.widget.TextView
import io.pocketgemma.chat.R

/** Shows a text with its marks; the same text again changes nothing, so that what is selected in it stays so. */
internal fun TextView.showRich(rich: RichText) {
    if (tag == rich) return
    tag = rich
    if (rich.marks.isEmpty()) {
        text = rich.text
        return
    }
    val spans = SpannableString(rich.text)
    for (mark in rich.marks) {
        for (span in spans(mark.look)) spans.setSpan(span, mark.start, mark.end, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
    }
    text = spans
}

/** A link is underlined and no more: the app has no network, and opens nothing that a model wrote. */
private fun TextView.spans(look: Look): List<Any> = when (look) {
    Look.BOLD -> listOf(StyleSpan(Typeface.BOLD))
    Look.ITALIC -> listOf(StyleSpan(Typeface.ITALIC))
    Look.CODE -> listOf(TypefaceSpan("monospace"), BackgroundColorSpan(context.getColor(R.color.markdown_code_surface)))
    Look.STRIKE -> listOf(StrikethroughSpan())
    Look.LINK -> listOf(UnderlineSpan())
}
