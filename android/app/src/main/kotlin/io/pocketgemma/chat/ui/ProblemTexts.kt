package io.pocketgemma.chat.ui

import android.content.Context
import io.pocketgemma.chat.R
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelProblem.Damaged
import io.pocketgemma.chat.model.ModelProblem.Missing
import io.pocketgemma.chat.model.ModelProblem.NoSpace
import io.pocketgemma.chat.model.ModelProblem.OtherBase
import io.pocketgemma.chat.model.ModelProblem.TakesNoAdapters
import io.pocketgemma.chat.model.ModelProblem.TooLarge
import io.pocketgemma.chat.model.ModelProblem.Unreadable
import io.pocketgemma.chat.model.ModelProblem.Unusable
import io.pocketgemma.chat.model.ModelProblem.WrongKind
import io.pocketgemma.chat.model.canLoadAnyway

/** A message for each [ModelProblem]: what is wrong, and what to do. */
class ProblemTexts(private val context: Context) {
    private val texts = Texts(context)

    /** Why the selected model does not reply. */
    fun whyNoAnswer(problem: ModelProblem): String = when (problem) {
        is Missing -> say(R.string.problem_missing, problem.expectedPath)
        Damaged -> say(R.string.problem_damaged)
        is NoSpace -> say(R.string.problem_no_space, texts.size(problem.neededBytes))
        is TooLarge -> say(
            if (problem.tryAnyway) R.string.problem_too_large_now else R.string.problem_too_large,
            texts.size(problem.neededBytes),
            texts.size(problem.freeBytes),
        )
        is WrongKind -> problem.found?.let { say(R.string.problem_wrong_kind_found, it) } ?: say(R.string.problem_wrong_kind)
        OtherBase -> say(R.string.problem_other_base)
        TakesNoAdapters -> say(R.string.problem_takes_no_adapters)
        is Unreadable -> say(R.string.problem_unreadable, problem.detail)
        is Unusable -> say(R.string.problem_unusable, problem.detail)
    }

    /** Why a file was not imported. */
    fun whyRefused(problem: ModelProblem): String = when (problem) {
        is Missing -> say(R.string.refused_missing)
        Damaged -> say(R.string.refused_damaged)
        is NoSpace -> say(R.string.refused_no_space, texts.size(problem.neededBytes))
        is TooLarge -> say(R.string.refused_too_large, texts.size(problem.neededBytes), texts.size(problem.freeBytes))
        is WrongKind -> problem.found?.let { say(R.string.refused_wrong_kind_found, it) } ?: say(R.string.refused_wrong_kind)
        OtherBase -> say(R.string.refused_other_base)
        TakesNoAdapters -> say(R.string.refused_takes_no_adapters)
        is Unreadable -> say(R.string.refused_unreadable, problem.detail)
        is Unusable -> say(R.string.refused_unusable, problem.detail)
    }

    private fun say(sentence: Int, vararg parts: Any): String = context.getString(sentence, *parts)
}

/** The label of the button under a problem. */
val ModelProblem.retryLabel: Int get() = if (canLoadAnyway) R.string.load_anyway else R.string.try_again
