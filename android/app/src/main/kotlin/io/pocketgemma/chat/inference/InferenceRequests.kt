package io.pocketgemma.chat.inference

import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.model.Turn
import io.pocketgemma.chat.settings.Settings

/**
 * The selected model. If there is none, an id that no library contains: the host then reports the problem as for any model that cannot be
 * loaded.
 */
fun LibraryState.activeSelection(settings: Settings): Selection = present(settings.selection) ?: Selection("")

/** The display names of a model and its adapter: "Model · Adapter"; null if the model does not exist. */
fun LibraryState.nameOf(selection: Selection): String? {
    val model = model(selection.model) ?: return null
    return listOfNotNull(model.name, adapter(selection.adapter)?.name).joinToString(" · ")
}

/** False for a model that was trained on single questions only. */
fun LibraryState.remembersConversation(selection: Selection): Boolean = model(selection.model)?.manifest?.remembersConversation ?: true

/** A conversation setup with the current settings; [more] is appended to the user's system prompt. */
fun Settings.conversationConfig(history: List<Turn> = emptyList(), more: String = "") = ConversationConfig(
    history = history,
    systemPrompt = listOf(systemPrompt.trim(), more).filter { it.isNotEmpty() }.joinToString("\n\n"),
    sampling = sampling.takeIf { ownSampling },
    replyTokens = replyTokens,
)
