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

/** Shows a text with its styles; setting the same text again changes nothing, so the user's selection stays. */
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

/** Links are only underlined: the app has no network access, and opens nothing that a model wrote. */
private fun TextView.spans(look: Look): List<Any> = when (look) {
    Look.BOLD -> listOf(StyleSpan(Typeface.BOLD))
    Look.ITALIC -> listOf(StyleSpan(Typeface.ITALIC))
    Look.CODE -> listOf(TypefaceSpan("monospace"), BackgroundColorSpan(context.getColor(R.color.markdown_code_surface)))
    Look.STRIKE -> listOf(StrikethroughSpan())
    Look.LINK -> listOf(UnderlineSpan())
}
