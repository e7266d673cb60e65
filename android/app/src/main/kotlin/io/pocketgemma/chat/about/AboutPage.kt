package io.pocketgemma.chat.about

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.AdapterEntry
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.library.ModelEntry
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.FactCard
import io.pocketgemma.chat.ui.Page
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.Texts
import io.pocketgemma.chat.ui.Watch
import io.pocketgemma.chat.ui.header

/** The stores that the about page shows and changes. */
interface AboutPageStores {
    val library: Store<LibraryState, LibraryEvent>
    val settings: Store<SettingsState, SettingsEvent>
}

/** "About this model": facts about the model in use, privacy, licenses. Facts that are not recorded are left out. */
class AboutPage(parent: ViewGroup, private val stores: AboutPageStores, shell: Shell) : Page {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.about, parent, false)

    private val context = view.context
    private val texts = Texts(context)
    private val watch = Watch()
    private val name: TextView = view.findViewById(R.id.about_name)
    private val description: TextView = view.findViewById(R.id.about_description)
    private val sections: ViewGroup = view.findViewById(R.id.sections)
    private val appCards = AboutApp(context)
    private var shown: Pair<LibraryState, Selection?>? = null

    init {
        view.header(Screen.ABOUT, shell)
    }

    override fun show() {
        watch.on(stores.library) { render() }
        watch.on(stores.settings) { render() }
    }

    override fun hide() = watch.close()

    private fun render() {
        val library = stores.library.state
        val chosen = library.present(stores.settings.state.settings.selection)
        if (shown == library to chosen) return
        shown = library to chosen
        val model = library.model(chosen?.model)
        name.text = if (model == null) context.getString(R.string.about_nobody) else texts.selectionName(library, chosen)
        description.text = when {
            model == null -> context.getString(R.string.about_nobody_text)
            model.isBase -> context.getString(R.string.about_is_base)
            else -> model.manifest?.description ?: context.getString(R.string.about_unknown)
        }
        sections.removeAllViews()
        if (model != null) fill(model, library.adapter(chosen?.adapter), library, isTuned = chosen == library.tuned)
        appCards.add(sections, model?.manifest?.facts)
    }

    private fun fill(model: ModelEntry, adapter: AdapterEntry?, library: LibraryState, isTuned: Boolean) {
        modelCard(model)
        adapter?.let(::adapterCard)
        val facts = model.manifest?.facts
        if (facts != null && isTuned) {
            tuningCard(facts)
            checkCard(facts)
        } else if (facts != null) {
            // The same file is now in use with another adapter, or with none.
            FactCard(sections, R.string.section_tuning).note(context.getString(R.string.other_note, texts.selectionName(library, library.tuned)))
        }
        fingerprints(model, adapter, facts?.dataSha256)
    }

    private fun modelCard(model: ModelEntry) = with(FactCard(sections, R.string.section_model)) {
        val facts = model.manifest?.facts
        fact(R.string.fact_base, facts?.base)
        fact(R.string.fact_parameters, facts?.parameters?.let(::parameters))
        fact(R.string.fact_quantization, facts?.quantization?.let(::weights))
        fact(R.string.fact_size, texts.size(model.bytes))
        fact(R.string.fact_memory, model.manifest?.memoryBytes?.let(texts::size))
        fact(R.string.fact_takes_adapters, model.adapterRank?.let(texts::number))
        fact(R.string.fact_runtime, facts?.runtime)
        fact(R.string.fact_made, facts?.made)
        fact(R.string.fact_origin, texts.origin(model.origin))
    }

    private fun adapterCard(adapter: AdapterEntry) = with(FactCard(sections, R.string.section_adapter)) {
        fact(R.string.fact_name, adapter.name)
        fact(R.string.fact_rank, texts.number(adapter.rank))
        fact(R.string.fact_size, texts.size(adapter.bytes))
        fact(R.string.fact_origin, texts.origin(adapter.origin))
    }

    private fun tuningCard(facts: ModelManifest.Facts) = with(FactCard(sections, R.string.section_tuning)) {
        fact(R.string.fact_data, facts.data)
        fact(R.string.fact_examples, facts.examples?.let(texts::number))
        fact(R.string.fact_epochs, facts.epochs?.let(texts::number))
        fact(R.string.fact_method, facts.method)
        fact(R.string.fact_rank, facts.rank?.let(texts::number))
        fact(R.string.fact_alpha, facts.alpha?.let(texts::number))
        fact(R.string.fact_targets, facts.targets.joinToString())
        if (facts.method?.contains(LORA, ignoreCase = true) == true) note(context.getString(R.string.lora_note))
    }

    private fun checkCard(facts: ModelManifest.Facts) = with(FactCard(sections, R.string.section_check)) {
        val accuracy = facts.accuracy ?: return
        val low = facts.accuracyLow
        val high = facts.accuracyHigh
        fact(R.string.fact_accuracy, texts.percent(accuracy))
        (add(R.layout.accuracy) as AccuracyBar).show(accuracy, low, high)
        val hasInterval = low != null && high != null
        if (low != null && high != null) {
            fact(R.string.fact_interval, context.getString(R.string.interval, texts.percent(low), texts.percent(high)))
        }
        fact(R.string.fact_questions, facts.questions?.let(texts::number))
        if (hasInterval) note(context.getString(R.string.interval_note))
        note(context.getString(R.string.check_note))
    }

    private fun fingerprints(model: ModelEntry, adapter: AdapterEntry?, data: String?) = with(FactCard(sections, R.string.section_fingerprints)) {
        digest(R.string.fact_digest_model, model.manifest?.sha256 ?: model.id.takeIf(DIGEST::matches))
        digest(R.string.fact_digest_adapter, adapter?.id)
        digest(R.string.fact_digest_base, adapter?.baseDigest ?: model.baseDigest)
        digest(R.string.fact_digest_data, data)
        note(context.getString(R.string.fingerprints_note))
    }

    private fun parameters(count: Long): String {
        val words = texts.inWords(count)
        val full = texts.number(count)
        return if (words == full) full else context.getString(R.string.number_in_full, words, full)
    }

    /** "int8" states the bits per weight; names of other recipes are shown unchanged. */
    private fun weights(recipe: String): String =
        BITS.matchEntire(recipe)?.let { context.getString(R.string.weights_bits, recipe, texts.number(it.groupValues[1].toInt())) } ?: recipe

    private companion object {
        const val LORA = "lora"
        val BITS = Regex("int(\\d+)")
        val DIGEST = Regex("[0-9a-f]{64}")
    }
}
