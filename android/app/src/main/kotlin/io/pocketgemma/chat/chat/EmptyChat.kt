package io.pocketgemma.chat.chat

import android.view.View
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.model.ModelManifest

/** An empty chat: describes the model. [SampleQuestions] shows the sample questions below. */
class EmptyChat(page: View) {
    val view: View = page.findViewById(R.id.empty)
    private val description: TextView = page.findViewById(R.id.description)

    fun render(manifest: ModelManifest?) {
        description.text = manifest?.description ?: description.resources.getString(R.string.empty_text)
    }
}
