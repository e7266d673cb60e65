package io.pocketgemma.chat.ui

import io.pocketgemma.chat.R
import io.pocketgemma.chat.Stores
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Selection

/** True when the person may say that a model shall be loaded although memory seems short. */
val ModelProblem.mayBeTriedAnyway: Boolean get() = this is ModelProblem.TooLarge && tryAnyway

/** What the button under a problem says. */
val ModelProblem.wayOn: Int get() = if (mayBeTriedAnyway) R.string.load_anyway else R.string.try_again

/** Loads a model after this problem, if the person was asked about its memory in spite of that. */
fun Stores.loadAfter(problem: ModelProblem, selection: Selection) =
    model.prepare(selection, settings.state.settings.options.copy(despiteMemory = problem.mayBeTriedAnyway))
