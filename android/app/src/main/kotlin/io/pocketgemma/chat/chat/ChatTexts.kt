package io.pocketgemma.chat.chat

import android.content.Context
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.ui.ProblemTexts
import io.pocketgemma.chat.ui.Texts

/** Texts for the state of the chat and its replies. */
class ChatTexts(private val context: Context) {
    private val texts = Texts(context)
    private val problems = ProblemTexts(context)

    /** [beside]: the line also contains another text. */
    fun status(model: ModelState, beside: Boolean = false): String = when (model) {
        ModelState.Asleep -> context.getString(R.string.model_asleep)
        is ModelState.Loading -> model.progress?.let { context.getString(R.string.model_copying, texts.percent(it, 0)) }
            ?: context.getString(R.string.model_loading)
        is ModelState.Ready -> context.getString(
            when {
                model.fellBack -> R.string.model_fell_back
                beside -> if (model.backend == Backend.GPU) R.string.model_ready_gpu_short else R.string.model_ready_short
                model.backend == Backend.GPU -> R.string.model_ready_gpu
                else -> R.string.model_ready
            },
        )
        is ModelState.Failed -> context.getString(R.string.model_failed)
    }

    /** Null: there is no model. */
    fun problem(problem: ModelProblem?): String = problem?.let(problems::whyNoAnswer) ?: context.getString(R.string.no_model)

    /** The caption under a reply; null if there is none. */
    fun caption(row: Row.Reply): String? = when (val status = row.reply.status) {
        is ReplyStatus.Active -> if (status.stopping) context.getString(R.string.stopping) else null
        is ReplyStatus.Complete ->
            if (row.reply.text.isEmpty()) context.getString(R.string.reply_empty) else row.metrics?.let(texts::metrics)
        is ReplyStatus.Stopped -> stopped(row.metrics)
        ReplyStatus.ContextFull -> context.getString(
            when (row.tooLong) {
                TooLong.QUESTION -> R.string.question_too_long
                TooLong.QUESTION_AND_INSTRUCTION -> R.string.question_and_instruction_too_long
                TooLong.CHAT, null -> R.string.context_full
            },
        )
        is ReplyStatus.NoModel ->
            if (row.isExplainedBelow) context.getString(R.string.reply_no_model) else problem(status.problem)
        is ReplyStatus.Failed -> context.getString(R.string.reply_failed, status.detail)
    }

    private val Row.Reply.metrics: ReplyMetrics? get() = reply.metrics.takeIf { showsMetrics }

    private fun stopped(metrics: ReplyMetrics?): String {
        val stopped = context.getString(R.string.stopped)
        return if (metrics == null) stopped else context.getString(R.string.two_parts, stopped, texts.metrics(metrics))
    }
}
