package io.pocketgemma.chat.ui

import android.content.res.Configuration
import android.graphics.Typeface
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.TextView
import io.pocketgemma.chat.R

/** A titled card with facts and notes; unknown facts are left out, and an empty card is not shown. */
class FactCard(private val page: ViewGroup, title: Int) {
    private val inflater = LayoutInflater.from(page.context)
    private val card: View = inflater.inflate(R.layout.section, page, false)
    private val body: ViewGroup = card.findViewById(R.id.section_body)
    private val isLargeFont = page.resources.configuration.hasLargeFont

    init {
        card.findViewById<TextView>(R.id.section_title).setText(title)
    }

    fun fact(label: Int, value: String?) = row(label, value, stacked = isLargeFont)

    /** A long sequence of letters and digits. */
    fun digest(label: Int, value: String?) =
        row(label, value, stacked = true)?.apply {
            typeface = Typeface.MONOSPACE
            textSize = DIGEST_SP
            textDirection = View.TEXT_DIRECTION_LTR
        }

    fun heading(text: Int) = (add(R.layout.fact_heading) as TextView).setText(text)

    fun note(text: String?) {
        if (text.isNullOrBlank()) return
        (add(R.layout.note) as TextView).text = text
    }

    fun button(label: Int, act: () -> Unit) {
        (add(R.layout.card_button) as Button).apply {
            setText(label)
            setOnClickListener { act() }
        }
    }

    fun add(layout: Int): View {
        if (body.childCount == 0) page.addView(card)
        return inflater.inflate(layout, body, false).also(body::addView)
    }

    private fun row(label: Int, value: String?, stacked: Boolean): TextView? {
        if (value.isNullOrBlank()) return null
        val row = add(if (stacked) R.layout.fact_stacked else R.layout.fact)
        row.findViewById<TextView>(R.id.fact_label).setText(label)
        return row.findViewById<TextView>(R.id.fact_value).apply { text = value }
    }

    private companion object {
        const val DIGEST_SP = 13f
    }
}

/** From this font scale, two columns of text would have about one word per line. */
val Configuration.hasLargeFont: Boolean get() = fontScale >= 1.5f
