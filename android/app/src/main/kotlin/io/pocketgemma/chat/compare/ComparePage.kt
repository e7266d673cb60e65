package io.pocketgemma.chat.compare

import android.app.AlertDialog
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.view.inputmethod.EditorInfo
import android.widget.EditText
import android.widget.ImageButton
import android.widget.LinearLayout
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.markdown.spokenText
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.model.retryAfter
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.AfterTextChanged
import io.pocketgemma.chat.ui.Page
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.Texts
import io.pocketgemma.chat.ui.Watch
import io.pocketgemma.chat.ui.dismissWith
import io.pocketgemma.chat.ui.hasLargeFont
import io.pocketgemma.chat.ui.header
import io.pocketgemma.chat.ui.headerAction

/** The stores that the comparison page shows and changes. */
interface ComparePageStores {
    val model: ModelStore
    val library: Store<LibraryState, LibraryEvent>
    val settings: Store<SettingsState, SettingsEvent>
    val compare: Store<CompareState, CompareEvent>
}

/** Before / after: the same question to two models, side by side if the screen is wide enough. */
class ComparePage(parent: ViewGroup, private val stores: ComparePageStores, private val shell: Shell) : Page {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.compare, parent, false)

    private val context = view.context
    private val texts = Texts(context)
    private val watch = Watch()
    private val intro: View = view.findViewById(R.id.compare_intro)
    private val noBase: View = view.findViewById(R.id.compare_no_base)
    private val question: TextView = view.findViewById(R.id.compare_question)
    private val same: View = view.findViewById(R.id.compare_same)
    private val input: EditText = view.findViewById(R.id.compare_input)
    private val ask: ImageButton = view.findViewById(R.id.compare_ask)
    private val copy = view.headerAction(R.id.compare_copy, R.drawable.icon_copy, R.string.compare_copy) { shell.copy(asText()) }
    private val share = view.headerAction(R.id.compare_share, R.drawable.icon_share, R.string.compare_share) {
        shell.share(asText(), context.getString(R.string.compare_share_title))
    }
    private val cards: Map<Side, AnswerCard>
    private val chips = SampleChips(view.findViewById(R.id.compare_chip_scroll), ::askFor)

    init {
        view.header(Screen.COMPARE, shell)
        val pair = view.findViewById<LinearLayout>(R.id.compare_pair)
        cards = Side.entries.associateWith { AnswerCard(pair, it, { choose(it) }, { askAgain(it) }, shell::copy) }
        if (fitsTwoColumns()) putSideBySide(pair)
        view.findViewById<View>(R.id.compare_models).setOnClickListener { shell.open(Screen.MODELS) }
        input.addTextChangedListener(AfterTextChanged { stores.compare.dispatch(CompareEvent.DraftChanged(input.text.toString())) })
        input.setOnEditorActionListener { _, action, event ->
            val wanted = action == EditorInfo.IME_ACTION_SEND || event != null
            if (wanted && ask.isEnabled && !stores.compare.state.running) askFor(input.text.toString())
            wanted
        }
        ask.setOnClickListener {
            if (stores.compare.state.running) stores.compare.dispatch(CompareEvent.Stop) else askFor(input.text.toString())
        }
    }

    override fun show() {
        watch.on(stores.compare) { render() }
        watch.on(stores.library) { render() }
        watch.on(stores.settings) { render() }
        watch.on(stores.model) { render() }
    }

    override fun hide() = watch.close()

    /** At large font sizes, two narrow columns are harder to read than two rows. */
    private fun fitsTwoColumns(): Boolean =
        context.resources.getBoolean(R.bool.two_columns) && !context.resources.configuration.hasLargeFont

    private fun putSideBySide(pair: LinearLayout) {
        pair.orientation = LinearLayout.HORIZONTAL
        for ((side, card) in cards) {
            val half = LinearLayout.LayoutParams(0, ViewGroup.LayoutParams.MATCH_PARENT, 1f)
            half.bottomMargin = (card.view.layoutParams as LinearLayout.LayoutParams).bottomMargin
            if (side == Side.AFTER) half.marginStart = half.bottomMargin
            card.view.layoutParams = half
        }
    }

    private fun render() {
        val state = stores.compare.state
        val library = stores.library.state
        val asked = state.question.isNotEmpty()
        intro.visibility = if (asked) View.GONE else View.VISIBLE
        noBase.visibility = if (library.loaded && state.before.selection == null) View.VISIBLE else View.GONE
        question.visibility = if (asked) View.VISIBLE else View.GONE
        if (question.text.toString() != state.question) question.text = state.question
        Side.entries.forEach { renderCard(it, state) }
        same.visibility = if (state.agrees()) View.VISIBLE else View.GONE
        if (input.text.toString() != state.draft) {
            input.setText(state.draft)
            input.setSelection(input.text.length)
        }
        ask.setImageResource(if (state.running) R.drawable.icon_stop else R.drawable.icon_send)
        ask.contentDescription = context.getString(if (state.running) R.string.compare_stop else R.string.compare_ask)
        ask.isEnabled = state.running || (state.canAsk && state.draft.isNotBlank())
        for (action in listOf(copy, share)) {
            action.visibility = if (asked && !state.running) View.VISIBLE else View.GONE
        }
        chips.render(if (state.canAsk && state.draft.isEmpty()) library.sampleQuestions - state.question else emptyList())
    }

    private fun renderCard(side: Side, state: CompareState) {
        val answer = state.side(side)
        val turn = if (state.before.status is ReplyStatus.Active) Side.BEFORE else Side.AFTER
        cards.getValue(side).render(
            answer,
            answer.selection?.let { texts.selectionName(stores.library.state, it) },
            waits = side != turn,
            loading = side == turn && stores.model.state is ModelState.Loading,
            showMetrics = stores.settings.state.settings.showMetrics,
        )
    }

    private fun CompareState.agrees(): Boolean =
        before.status is ReplyStatus.Complete && after.status is ReplyStatus.Complete &&
            before.text.isNotBlank() && before.text.trim() == after.text.trim()

    private fun askFor(question: String) = stores.compare.dispatch(CompareEvent.Ask(question))

    /** Asks both again, because the question may have changed; loads a model that is too large only if the user confirmed it. */
    private fun askAgain(side: Side) {
        val answer = stores.compare.state.side(side)
        val problem = (answer.status as? ReplyStatus.NoModel)?.problem
        if (problem != null && answer.selection != null) stores.model.retryAfter(problem, answer.selection, stores.settings.state.settings.options)
        askFor(stores.compare.state.question)
    }

    private fun choose(side: Side) {
        val library = stores.library.state
        val choices = library.models.flatMap { model ->
            listOf(Selection(model.id)) + library.adaptersFor(model).map { Selection(model.id, it.id) }
        }
        val names = choices.map { texts.selectionName(library, it) }.toTypedArray()
        AlertDialog.Builder(context)
            .setTitle(if (side == Side.BEFORE) R.string.compare_choose_before else R.string.compare_choose_after)
            .setSingleChoiceItems(names, choices.indexOf(stores.compare.state.side(side).selection)) { dialog, place ->
                stores.compare.dispatch(CompareEvent.Choose(side, choices[place]))
                dialog.dismiss()
            }
            .setNegativeButton(R.string.cancel, null)
            .show().dismissWith(context)
    }

    private fun asText(): String {
        val state = stores.compare.state
        val library = stores.library.state
        return context.getString(
            R.string.compare_as_text,
            state.question,
            texts.selectionName(library, state.before.selection),
            spokenText(state.before.text),
            texts.selectionName(library, state.after.selection),
            spokenText(state.after.text),
        )
    }
}
