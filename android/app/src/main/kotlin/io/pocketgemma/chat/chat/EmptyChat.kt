package io.pocketgemma.chat.chat

import android.view.View
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.model.ModelManifest

/** A chat in which nothing was said yet: what this model is for. The sample questions below are [SampleQuestions]. */
class EmptyChat(page: View) {
    val view: View = page.findViewById(R.id.empty)
    private val description: TextView = page.findViewById(R.id.description)

    fun render(manifest: ModelManifest?) {
        description.text = manifest?.description ?: description.resources.getString(R.string.empty_text)
    }
}
