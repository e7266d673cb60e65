package io.pocketgemma.chat.ui

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.model.ModelManifest

/** "About this model": its manifest in words. What the manifest does not say is left out. */
class AboutScreen(root: View, private val texts: Texts) {
    private val name: TextView = root.findViewById(R.id.about_name)
    private val description: TextView = root.findViewById(R.id.about_description)
    private val sections: LinearLayout = root.findViewById(R.id.sections)
    private val inflater = LayoutInflater.from(root.context)
    private var shown: ModelManifest? = null

    fun render(manifest: ModelManifest?) {
        if (manifest == shown && sections.childCount > 0) return
        shown = manifest
        name.text = manifest?.name ?: name.resources.getString(R.string.app_name)
        description.text = manifest?.description ?: description.resources.getString(R.string.about_unknown)
        sections.removeAllViews()
        manifest?.let(::fill)
        section(R.string.section_privacy, note = sections.resources.getString(R.string.privacy_note))
        val software = sections.resources.getString(R.string.software_note)
        section(R.string.section_licence, note = listOfNotNull(manifest?.facts?.licence, software).joinToString("\n\n"))
    }

    private fun fill(manifest: ModelManifest) {
        val facts = manifest.facts
        section(
            R.string.section_model,
            listOf(
                R.string.fact_base to facts.base,
                R.string.fact_parameters to facts.parameters?.let(texts::number),
                R.string.fact_quantization to facts.quantization,
                R.string.fact_size to manifest.bytes?.let(texts::size),
                R.string.fact_runtime to facts.runtime,
                R.string.fact_made to facts.made,
                R.string.fact_sha256 to manifest.sha256,
            ),
        )
        section(
            R.string.section_tuning,
            listOf(
                R.string.fact_method to facts.method,
                R.string.fact_rank to facts.rank?.let(texts::number),
                R.string.fact_alpha to facts.alpha?.let(texts::number),
                R.string.fact_targets to facts.targets.joinToString().ifEmpty { null },
                R.string.fact_examples to facts.examples?.let(texts::number),
            ),
        )
        section(
            R.string.section_check,
            listOf(
                R.string.fact_accuracy to facts.accuracy?.let(texts::percent),
                R.string.fact_questions to facts.questions?.let(texts::number),
            ),
            note = facts.accuracy?.let { sections.resources.getString(R.string.check_note) },
        )
    }

    private fun section(title: Int, facts: List<Pair<Int, String?>> = emptyList(), note: String? = null) {
        val known = facts.filter { it.second != null }
        if (known.isEmpty() && note == null) return
        val view = inflater.inflate(R.layout.section, sections, false)
        view.findViewById<TextView>(R.id.section_title).setText(title)
        val body = view.findViewById<ViewGroup>(R.id.section_body)
        for ((label, value) in known) {
            val row = inflater.inflate(R.layout.fact, body, false)
            row.findViewById<TextView>(R.id.fact_label).setText(label)
            row.findViewById<TextView>(R.id.fact_value).text = value
            body.addView(row)
        }
        if (note != null) {
            val text = inflater.inflate(R.layout.note, body, false) as TextView
            text.text = note
            body.addView(text)
        }
        sections.addView(view)
    }
}
