package io.pocketgemma.chat.compare

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.markdown.MarkdownView
import io.pocketgemma.chat.ui.ProblemTexts
import io.pocketgemma.chat.ui.Texts
import io.pocketgemma.chat.ui.retryLabel

/** One of the two replies: model, text, and status. */
class AnswerCard(pair: ViewGroup, private val side: Side, choose: () -> Unit, again: () -> Unit, copy: (String) -> Unit) {
    private val context = pair.context
    private val texts = Texts(context)
    private val problems = ProblemTexts(context)
    val view: View = LayoutInflater.from(context).inflate(R.layout.compare_answer, pair, false)
    private val name = context.getString(if (side == Side.BEFORE) R.string.compare_before else R.string.compare_after)
    private val who: Button = view.findViewById(R.id.answer_who)
    private val text: MarkdownView = view.findViewById(R.id.answer_text)
    private val dots: View = view.findViewById(R.id.answer_dots)
    private val status: TextView = view.findViewById(R.id.answer_status)

    private val again: Button = view.findViewById(R.id.answer_again)

    init {
        this.again.setOnClickListener { again() }
        if (side == Side.BEFORE) view.setBackgroundResource(R.drawable.card_outlined)
        view.findViewById<TextView>(R.id.answer_label).text = name
        who.id = if (side == Side.BEFORE) R.id.before_who else R.id.after_who
        text.id = if (side == Side.BEFORE) R.id.before_text else R.id.after_text
        text.onCopy = copy
        who.setOnClickListener { choose() }
        pair.addView(view)
    }

    /**
     * @param name the model's name; null: no model is selected.
     * @param waits the other model replies first.
     * @param loading this side's model is being loaded.
     */
    fun render(answer: Answer, name: String?, waits: Boolean, loading: Boolean, showMetrics: Boolean) {
        val writing = answer.status is ReplyStatus.Active
        who.text = name ?: context.getString(R.string.compare_choose)
        who.contentDescription = context.getString(R.string.compare_who, this.name, who.text)
        who.isEnabled = !writing
        text.show(answer.text, streaming = writing)
        text.visibility = if (answer.text.isEmpty()) View.GONE else View.VISIBLE
        dots.visibility = if (writing && answer.text.isEmpty() && !waits) View.VISIBLE else View.GONE
        val words = words(answer, waits, loading, showMetrics)
        // Setting the same text at every piece of the reply would make TalkBack read it again.
        if (status.text.toString() != words.orEmpty()) status.text = words
        status.visibility = if (words == null) View.GONE else View.VISIBLE
        renderAgain(answer.status)
        status.setTextColor(context.getColor(if (answer.status.isProblem()) R.color.warning else R.color.text_dim))
    }

    private fun renderAgain(status: ReplyStatus?) {
        again.visibility = if (status is ReplyStatus.NoModel || status is ReplyStatus.Failed) View.VISIBLE else View.GONE
        again.setText(if (status is ReplyStatus.NoModel) status.problem.retryLabel else R.string.try_again)
    }

    private fun words(answer: Answer, waits: Boolean, loading: Boolean, showMetrics: Boolean): String? =
        when (val status = answer.status) {
            null -> context.getString(R.string.compare_nothing_yet)
            is ReplyStatus.Active -> when {
                status.stopping -> context.getString(R.string.compare_stopping)
                waits -> context.getString(R.string.compare_waiting)
                loading -> context.getString(R.string.compare_loading)
                else -> null
            }
            is ReplyStatus.Complete -> listOfNotNull(
                if (answer.text.isEmpty()) context.getString(R.string.compare_empty) else null,
                metrics(status, showMetrics),
            ).joinToString("\n").ifEmpty { null }
            is ReplyStatus.Stopped ->
                listOfNotNull(context.getString(R.string.compare_stopped), metrics(status, showMetrics)).joinToString("\n")
            ReplyStatus.ContextFull -> context.getString(R.string.question_too_long)
            is ReplyStatus.NoModel -> problems.whyNoAnswer(status.problem)
            is ReplyStatus.Failed -> context.getString(R.string.compare_failed, status.detail)
        }

    private fun metrics(status: ReplyStatus.Ended, shown: Boolean): String? = status.metrics?.takeIf { shown }?.let(texts::metrics)

    private fun ReplyStatus?.isProblem() =
        this is ReplyStatus.NoModel || this is ReplyStatus.Failed || this is ReplyStatus.ContextFull
}
