package io.pocketgemma.chat.models

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.AdapterEntry
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.library.ModelEntry
import io.pocketgemma.chat.library.Origin
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.ui.ProblemTexts
import io.pocketgemma.chat.ui.Texts
import io.pocketgemma.chat.ui.retryLabel

/** The models, each with its compatible adapters, and the adapters without a compatible model. */
class ModelList(
    page: View,
    private val choose: (Selection) -> Unit,
    private val again: (Selection, ModelProblem) -> Unit,
    private val remove: (id: String) -> Unit,
) {
    private val context = page.context
    private val inflater = LayoutInflater.from(context)
    private val texts = Texts(context)
    private val problems = ProblemTexts(context)
    private val models: ViewGroup = page.findViewById(R.id.model_list)
    private val orphans: View = page.findViewById(R.id.orphans)
    private val orphanList: ViewGroup = page.findViewById(R.id.orphan_list)
    private val rows = mutableMapOf<Selection, ChoiceRow>()
    private var listed: Pair<List<ModelEntry>, List<AdapterEntry>>? = null

    /** [now] is the state of the model of [chosen]. */
    fun render(library: LibraryState, chosen: Selection?, now: ModelState) {
        // Rows stay while only the selection changes, and with them the focus of the keyboard and of TalkBack.
        if (listed != library.models to library.adapters) list(library)
        for ((selection, row) in rows) {
            val inUse = selection == chosen
            row.isChecked = inUse
            row.findViewById<View>(R.id.entry_in_use).visibility = if (inUse) View.VISIBLE else View.GONE
            row.findViewById<TextView>(R.id.entry_now).apply {
                visibility = if (inUse) View.VISIBLE else View.GONE
                text = if (inUse) words(now) else ""
                setTextColor(context.getColor(if (inUse && now is ModelState.Failed) R.color.warning else R.color.text_dim))
            }
            row.findViewById<Button>(R.id.entry_again).apply {
                val problem = (now as? ModelState.Failed)?.problem?.takeIf { inUse }
                visibility = if (problem == null) View.GONE else View.VISIBLE
                problem?.let { setText(it.retryLabel) }
                setOnClickListener { problem?.let { again(selection, it) } }
            }
        }
    }

    private fun list(library: LibraryState) {
        listed = library.models to library.adapters
        rows.clear()
        models.removeAllViews()
        library.models.forEach { models.addView(card(it, library)) }
        val lost = library.adapters.filter { adapter -> library.models.none(adapter::fits) }
        orphans.visibility = if (lost.isEmpty()) View.GONE else View.VISIBLE
        orphanList.removeAllViews()
        lost.forEach { orphanList.addView(orphan(it)) }
    }

    private fun card(model: ModelEntry, library: LibraryState): View {
        val card = inflater.inflate(R.layout.model_card, models, false)
        val row = card.findViewById<ChoiceRow>(R.id.model_entry)
        fill(row, model.id, model.name, details(model), model.origin)
        choice(row, Selection(model.id))
        val adapters = library.adaptersFor(model)
        val list = card.findViewById<ViewGroup>(R.id.adapter_list)
        card.findViewById<View>(R.id.adapters_heading).visibility = if (adapters.isEmpty()) View.GONE else View.VISIBLE
        for (adapter in adapters) {
            val under = inflater.inflate(R.layout.entry, list, false) as ChoiceRow
            fill(under, adapter.id, adapter.name, details(adapter), adapter.origin)
            choice(under, Selection(model.id, adapter.id))
            list.addView(under)
        }
        return card
    }

    private fun orphan(adapter: AdapterEntry): View {
        val row = inflater.inflate(R.layout.entry_orphan, orphanList, false)
        fill(row, adapter.id, adapter.name, details(adapter), adapter.origin)
        return row
    }

    private fun fill(row: View, id: String, name: String, details: String, origin: Origin) {
        row.findViewById<TextView>(R.id.entry_name).text = name
        row.findViewById<TextView>(R.id.entry_detail).text = details
        row.findViewById<View>(R.id.entry_remove).apply {
            visibility = if (origin == Origin.IMPORTED) View.VISIBLE else View.GONE
            contentDescription = context.getString(R.string.remove, name)
            setOnClickListener { remove(id) }
        }
    }

    private fun choice(row: ChoiceRow, selection: Selection) {
        rows[selection] = row
        row.setOnClickListener { choose(selection) }
    }

    private fun details(model: ModelEntry): String = listOfNotNull(
        context.getString(R.string.model_size_origin, texts.size(model.bytes), texts.origin(model.origin)),
        if (model.isBase) context.getString(R.string.model_is_base) else null,
        model.manifest?.memoryBytes?.let { context.getString(R.string.model_memory, texts.size(it)) },
        model.adapterRank?.let { context.getString(R.string.model_takes_adapters, texts.number(it)) }
            ?: context.getString(R.string.model_takes_none),
    ).joinToString("\n")

    private fun details(adapter: AdapterEntry): String = listOf(
        context.getString(R.string.model_size_origin, texts.size(adapter.bytes), texts.origin(adapter.origin)),
        context.getString(R.string.adapter_rank, texts.number(adapter.rank)),
    ).joinToString("\n")

    private fun words(now: ModelState): String = when (now) {
        ModelState.Asleep -> context.getString(R.string.model_now_asleep)
        is ModelState.Loading -> now.progress?.let { context.getString(R.string.model_now_copying, texts.percent(it, 0)) }
            ?: context.getString(R.string.model_now_loading)
        is ModelState.Ready ->
            context.getString(if (now.fellBack) R.string.model_now_fell_back else R.string.model_now_ready, texts.backend(now.backend))
        is ModelState.Failed -> problems.whyNoAnswer(now.problem)
    }
}
