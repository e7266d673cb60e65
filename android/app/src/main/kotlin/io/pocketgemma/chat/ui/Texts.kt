package io.pocketgemma.chat.ui

import android.content.Context
import android.text.format.Formatter
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.library.Origin
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Selection
import java.text.NumberFormat
import java.util.Locale

/** Formats numbers and names in the user's language. */
class Texts(private val context: Context) {
    private val locale: Locale get() = context.resources.configuration.locales[0]

    /** A size in bytes: "2.7 MB". */
    fun size(bytes: Long): String = Formatter.formatShortFileSize(context, bytes)

    fun number(value: Number, digits: Int = 2): String =
        NumberFormat.getNumberInstance(locale).apply { maximumFractionDigits = digits }.format(value)

    /** A large number in words: "1.6 million". */
    fun inWords(value: Long): String = when {
        value >= BILLION -> context.getString(R.string.number_billions, number(value / BILLION, 1))
        value >= MILLION -> context.getString(R.string.number_millions, number(value / MILLION, 1))
        else -> number(value)
    }

    /** [share] is from 0 to 1. */
    fun percent(share: Double, digits: Int = 1): String =
        NumberFormat.getPercentInstance(locale).apply { maximumFractionDigits = digits }.format(share)

    /** Milliseconds below one second: easier to read than 0.042 s. */
    fun duration(seconds: Double): String =
        if (seconds < 1) {
            context.getString(R.string.numbers_milliseconds, number(seconds * 1000, 0))
        } else {
            context.getString(R.string.numbers_seconds, number(seconds, 1))
        }

    /** Tokens per second without the unit; a decimal matters only for small values. */
    fun bareRate(tokensPerSecond: Double): String = number(tokensPerSecond, if (tokensPerSecond < 100) 1 else 0)

    fun rate(tokensPerSecond: Double): String = context.getString(R.string.numbers_rate, bareRate(tokensPerSecond))

    fun tokens(count: Int): String = context.resources.getQuantityString(R.plurals.numbers_tokens, count, number(count))

    /** The statistics line under a reply. */
    fun metrics(metrics: ReplyMetrics): String {
        val tokens = tokens(metrics.tokens)
        val rate = rate(metrics.tokensPerSecond)
        val first = duration(metrics.secondsToFirstToken)
        val memory = metrics.memoryBytes ?: return context.getString(R.string.numbers_line, tokens, rate, first)
        return context.getString(R.string.numbers_line_memory, tokens, rate, first, size(memory))
    }

    fun backend(backend: Backend): String =
        context.getString(if (backend == Backend.CPU) R.string.backend_cpu else R.string.backend_gpu)

    fun origin(origin: Origin): String = context.getString(
        when (origin) {
            Origin.APP -> R.string.origin_app
            Origin.PUSHED -> R.string.origin_pushed
            Origin.IMPORTED -> R.string.origin_imported
        },
    )

    /** The display name of a selection; "No model" if it no longer exists. */
    fun selectionName(library: LibraryState, selection: Selection?): String {
        val model = library.model(selection?.model) ?: return context.getString(R.string.who_nobody)
        // The same file as the tuned model, but without its adapter.
        val isTunedWithout = selection == library.base && selection?.model == library.tuned?.model
        if (isTunedWithout) return context.getString(R.string.who_base, model.name)
        val adapter = library.adapter(selection?.adapter) ?: return model.name
        return context.getString(R.string.who_with_adapter, model.name, adapter.name)
    }

    private companion object {
        const val MILLION = 1e6
        const val BILLION = 1e9
    }
}
