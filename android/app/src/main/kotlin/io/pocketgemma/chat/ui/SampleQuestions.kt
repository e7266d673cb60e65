package io.pocketgemma.chat.ui

import android.view.LayoutInflater
import android.view.View
import android.widget.Button
import android.widget.LinearLayout
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.chat.Message

/** Sample questions: large in an empty chat, and those not asked yet in a row above the text field later on. */
class SampleQuestions(root: View, private val ask: (String) -> Unit) {
    private val title: View = root.findViewById(R.id.samples_title)
    private val cards: LinearLayout = root.findViewById(R.id.samples)
    private val row: View = root.findViewById(R.id.chip_scroll)
    private val chips: LinearLayout = root.findViewById(R.id.chips)

    fun render(state: ChatState) {
        val asked = state.messages.filterIsInstance<Message.Question>().map { it.text }.toSet()
        fill(cards, R.layout.sample, state.sampleQuestions.take(MOST_CARDS), state.canSend)
        title.visibility = if (state.sampleQuestions.isEmpty()) View.GONE else View.VISIBLE
        val left = state.sampleQuestions.filter { it !in asked }
        fill(chips, R.layout.chip, left, state.canSend)
        row.visibility = if (asked.isNotEmpty() && left.isNotEmpty()) View.VISIBLE else View.GONE
    }

    private fun fill(group: LinearLayout, layout: Int, questions: List<String>, enabled: Boolean) {
        if (group.tag != questions) {
            group.tag = questions
            group.removeAllViews()
            for (question in questions) {
                val button = LayoutInflater.from(group.context).inflate(layout, group, false) as Button
                button.text = question
                button.setOnClickListener { ask(question) }
                group.addView(button)
            }
        }
        for (index in 0 until group.childCount) group.getChildAt(index).isEnabled = enabled
    }

    private companion object {
        const val MOST_CARDS = 4
    }
}
