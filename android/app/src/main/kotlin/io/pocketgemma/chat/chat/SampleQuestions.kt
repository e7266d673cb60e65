package io.pocketgemma.chat.chat

import android.view.View
import android.widget.Button
import android.widget.LinearLayout
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.ui.inflate
import io.pocketgemma.chat.ui.showIf

/** Sample questions: large in an empty chat; later, those not asked yet in a row above the composer. */
class SampleQuestions(page: View, private val ask: (String) -> Unit) {
    private val title: View = page.findViewById(R.id.samples_title)
    private val cards: LinearLayout = page.findViewById(R.id.samples)
    private val row: View = page.findViewById(R.id.chip_scroll)
    private val chips: LinearLayout = page.findViewById(R.id.chips)
    private val hasRoom = page.resources.getBoolean(R.bool.room_for_chips)

    fun render(chat: ChatState, questions: List<String>, canAsk: Boolean) {
        fill(cards, R.layout.sample, questions.take(MAX_CARDS), canAsk)
        title.showIf(questions.isNotEmpty())
        val asked = chat.messages.filterIsInstance<Message.Question>().mapTo(HashSet()) { it.text }
        val left = questions.filter { it !in asked }
        fill(chips, R.layout.chip, left, canAsk)
        // No suggestions while the user is typing.
        row.showIf(hasRoom && asked.isNotEmpty() && left.isNotEmpty() && chat.draft.isEmpty() && !chat.editing)
    }

    private fun fill(group: LinearLayout, layout: Int, questions: List<String>, enabled: Boolean) {
        if (group.tag != questions) {
            group.tag = questions
            group.removeAllViews()
            for (question in questions) {
                val button = inflate(layout, group) as Button
                button.text = question
                button.setOnClickListener { ask(question) }
                group.addView(button)
            }
        }
        for (index in 0 until group.childCount) group.getChildAt(index).isEnabled = enabled
    }

    private companion object {
        const val MAX_CARDS = 4
    }
}
