package io.pocketgemma.chat.ui

import android.content.Context
import android.content.res.Resources
import android.text.format.Formatter
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.ModelState
import io.pocketgemma.chat.chat.ReplyStatus
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Speed
import java.text.NumberFormat
import kotlin.math.roundToInt

/** Words for states. Everything a person reads comes from string resources. */
class Texts(private val context: Context) {
    private val resources: Resources = context.resources

    fun status(model: ModelState): String = when (model) {
        is ModelState.Loading -> model.progress?.let { resources.getString(R.string.model_copying, (it * 100).roundToInt()) }
            ?: resources.getString(R.string.model_loading)
        ModelState.Ready -> resources.getString(R.string.model_ready)
        is ModelState.Failed -> resources.getString(R.string.model_failed)
    }

    fun problem(problem: ModelProblem): String = when (problem) {
        is ModelProblem.Missing -> resources.getString(R.string.problem_missing, problem.expectedPath)
        ModelProblem.Damaged -> resources.getString(R.string.problem_damaged)
        is ModelProblem.NoSpace -> resources.getString(R.string.problem_no_space, size(problem.neededBytes))
        is ModelProblem.Unusable -> resources.getString(R.string.problem_unusable, problem.detail)
    }

    /** The small line under a reply; null when there is nothing to say. */
    fun caption(status: ReplyStatus, empty: Boolean): String? = when (status) {
        is ReplyStatus.Active -> if (status.stopping) resources.getString(R.string.stopping) else null
        is ReplyStatus.Complete -> if (empty) resources.getString(R.string.reply_empty) else status.speed?.let(::speed)
        is ReplyStatus.Stopped ->
            status.speed?.let { resources.getString(R.string.stopped_speed, speed(it)) } ?: resources.getString(R.string.stopped)
        ReplyStatus.ContextFull -> resources.getString(R.string.context_full)
        is ReplyStatus.Failed -> resources.getString(R.string.reply_failed, status.detail)
    }

    fun size(bytes: Long): String = Formatter.formatShortFileSize(context, bytes)

    fun number(value: Number): String = NumberFormat.getNumberInstance().format(value)

    fun percent(share: Double): String = NumberFormat.getPercentInstance().apply { maximumFractionDigits = 1 }.format(share)

    private fun speed(speed: Speed): String {
        val rate = NumberFormat.getNumberInstance().apply { maximumFractionDigits = if (speed.tokensPerSecond < 100) 1 else 0 }
        return resources.getQuantityString(R.plurals.speed, speed.tokens, speed.tokens, rate.format(speed.tokensPerSecond))
    }
}
