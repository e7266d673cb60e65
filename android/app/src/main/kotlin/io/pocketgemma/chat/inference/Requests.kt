package io.pocketgemma.chat.inference

import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.model.Setup
import io.pocketgemma.chat.model.Turn
import io.pocketgemma.chat.settings.Settings

/**
 * Who answers now. Where there is no model at all, it is one that no library has: the host then says what is missing, as it does for
 * any model that cannot be loaded.
 */
fun LibraryState.answering(settings: Settings): Selection = present(settings.selection) ?: Selection("")

/** The names of a model and its adapter, for a person: "Model · Adapter"; null when the model is not here. */
fun LibraryState.nameOf(selection: Selection): String? {
    val model = model(selection.model) ?: return null
    return listOfNotNull(model.name, adapter(selection.adapter)?.name).joinToString(" · ")
}

/** False for a model that was taught single questions only. */
fun LibraryState.remembersConversation(selection: Selection): Boolean = model(selection.model)?.manifest?.remembersConversation ?: true

/** A conversation as the settings want it; [more] goes into the system prompt after the person's own. */
fun Settings.setup(history: List<Turn> = emptyList(), more: String = "") = Setup(
    history = history,
    systemPrompt = listOf(systemPrompt.trim(), more).filter { it.isNotEmpty() }.joinToString("\n\n"),
    sampling = sampling.takeIf { ownSampling },
    replyTokens = replyTokens,
)
