package io.pocketgemma.chat.compare

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import io.pocketgemma.chat.R

/** Questions that a tap asks. */
class SampleChips(private val scroll: ViewGroup, private val ask: (String) -> Unit) {
    private val row: ViewGroup = scroll.getChildAt(0) as ViewGroup
    private var shown = emptyList<String>()

    fun render(questions: List<String>) {
        scroll.visibility = if (questions.isEmpty()) View.GONE else View.VISIBLE
        if (questions == shown) return
        shown = questions
        row.removeAllViews()
        for (question in questions) {
            val chip = LayoutInflater.from(row.context).inflate(R.layout.chip, row, false) as Button
            chip.text = question
            chip.setOnClickListener { ask(question) }
            row.addView(chip)
        }
    }
}
