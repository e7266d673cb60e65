package io.pocketgemma.chat.chat

import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.view.accessibility.AccessibilityNodeInfo
import android.view.accessibility.AccessibilityNodeInfo.AccessibilityAction
import android.widget.ImageView
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.ui.inflate
import io.pocketgemma.chat.ui.onClick
import io.pocketgemma.chat.ui.showIf

/** Actions for the rows of a conversation. */
interface RowActions {
    fun copy(text: String)

    fun edit()

    fun share(row: Row.Reply)

    fun regenerate()

    /** The menu with less frequent actions. */
    fun more(row: Row.Reply, anchor: View)

    fun continueWithSummary()

    fun continueInNewChat()

    fun toggleSummary()

    fun stop()

    fun tryAgain()

    fun loadAnyway()

    fun openModels()
}

/** Creates the view for a row of this kind. A view is bound only to rows of the kind that it was created for. */
@Suppress("UNCHECKED_CAST")
fun rowView(row: Row, parent: ViewGroup, texts: ChatTexts, actions: RowActions): RowView<Row> = when (row) {
    is Row.Question -> QuestionView(parent, actions)
    is Row.Reply -> ReplyView(parent, texts, actions)
    is Row.Summary -> SummaryView(parent, actions)
    is Row.Problem -> ProblemView(parent, texts, actions)
    Row.Summarising -> SummarisingView(parent, actions)
} as RowView<Row>

private class QuestionView(parent: ViewGroup, private val actions: RowActions) : RowView<Row.Question> {
    override val view: View = inflate(R.layout.question, parent)
    private val text: TextView = view.findViewById(R.id.question_text)
    private val copy: View = view.findViewById(R.id.copy_question)
    private val edit: View = view.findViewById(R.id.edit_question)
    private var bound: Row.Question? = null

    init {
        copy.setOnClickListener { bound?.let { actions.copy(it.question.text) } }
        edit.setOnClickListener { actions.edit() }
        text.accessibilityDelegate = Actions()
    }

    override fun bind(row: Row.Question) {
        bound = row
        if (text.text.toString() != row.question.text) text.text = row.question.text
        text.contentDescription = text.resources.getString(R.string.you_said, row.question.text)
        text.isActivated = row.isEdited
        copy.showIf(!row.canEdit)
        edit.showIf(row.canEdit)
    }

    /** The same actions in TalkBack's menu, so that users need not search for the buttons. */
    private inner class Actions : View.AccessibilityDelegate() {
        override fun onInitializeAccessibilityNodeInfo(host: View, info: AccessibilityNodeInfo) {
            super.onInitializeAccessibilityNodeInfo(host, info)
            info.addAction(AccessibilityAction(R.id.copy_question, host.resources.getString(R.string.copy_question)))
            if (bound?.canEdit == true) info.addAction(AccessibilityAction(R.id.edit_question, host.resources.getString(R.string.edit_question)))
        }

        override fun performAccessibilityAction(host: View, action: Int, arguments: Bundle?): Boolean = when (action) {
            R.id.copy_question -> copy.callOnClick()
            R.id.edit_question -> edit.callOnClick()
            else -> super.performAccessibilityAction(host, action, arguments)
        }
    }
}

private class SummaryView(parent: ViewGroup, actions: RowActions) : RowView<Row.Summary> {
    override val view: View = inflate(R.layout.carried, parent)
    private val head: View = view.findViewById(R.id.carried_head)
    private val text: TextView = view.findViewById(R.id.carried_text)
    private val arrow: ImageView = view.findViewById(R.id.carried_arrow)

    init {
        head.setOnClickListener { actions.toggleSummary() }
    }

    override fun bind(row: Row.Summary) {
        text.text = row.summary
        text.showIf(row.isOpen)
        arrow.rotation = if (row.isOpen) HALF_TURN else 0f
        val state = head.resources.getString(if (row.isOpen) R.string.is_open else R.string.is_closed)
        head.contentDescription = head.resources.getString(R.string.two_parts, head.resources.getString(R.string.carried_title), state)
    }

    private companion object {
        const val HALF_TURN = 180f
    }
}

private class ProblemView(parent: ViewGroup, private val texts: ChatTexts, actions: RowActions) : RowView<Row.Problem> {
    override val view: View = inflate(R.layout.problem, parent)
    private val text: TextView = view.findViewById(R.id.problem_text)
    private val tryAgain: View = view.findViewById(R.id.try_again)
    private val loadAnyway: View = view.findViewById(R.id.load_anyway)

    init {
        tryAgain.setOnClickListener { actions.tryAgain() }
        loadAnyway.setOnClickListener { actions.loadAnyway() }
        view.onClick(R.id.open_models) { actions.openModels() }
    }

    override fun bind(row: Row.Problem) {
        text.text = texts.problem(row.problem)
        tryAgain.showIf(row.problem != null)
        loadAnyway.showIf((row.problem as? ModelProblem.TooLarge)?.tryAnyway == true)
    }
}

private class SummarisingView(parent: ViewGroup, actions: RowActions) : RowView<Row.Summarising> {
    override val view: View = inflate(R.layout.summarising, parent)

    init {
        view.onClick(R.id.stop_summary) { actions.stop() }
    }

    override fun bind(row: Row.Summarising) = Unit
}
