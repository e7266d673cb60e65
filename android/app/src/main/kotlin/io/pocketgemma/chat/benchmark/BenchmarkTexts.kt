package io.pocketgemma.chat.benchmark

import android.content.Context
import android.os.Build
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.ui.Texts

/** Texts of the benchmark: table cells, test conditions, and the whole result as text. */
class BenchmarkTexts(private val context: Context) {
    private val texts = Texts(context)

    val columns: List<String> = listOf(
        R.string.column_run,
        R.string.column_first,
        R.string.column_prefill,
        R.string.column_decode,
        R.string.column_memory,
    ).map(context::getString)

    fun runName(place: Int): String = texts.number(place + 1)

    val medianName: String = context.getString(R.string.benchmark_median)

    fun cells(name: String, metrics: ReplyMetrics): List<String> = listOf(
        name,
        texts.duration(metrics.secondsToFirstToken),
        texts.bareRate(metrics.promptTokensPerSecond),
        texts.bareRate(metrics.tokensPerSecond),
        metrics.memoryBytes?.let(texts::size).orEmpty(),
    )

    /** A row of the table, as read by a screen reader. */
    fun spoken(name: String, metrics: ReplyMetrics): String {
        val first = texts.duration(metrics.secondsToFirstToken)
        val reads = texts.rate(metrics.promptTokensPerSecond)
        val writes = texts.rate(metrics.tokensPerSecond)
        val memory = metrics.memoryBytes ?: return context.getString(R.string.benchmark_row, name, first, reads, writes)
        return context.getString(R.string.benchmark_row_memory, name, first, reads, writes, texts.size(memory))
    }

    /** The four main figures, each with its label. */
    fun tiles(median: ReplyMetrics): List<Pair<String, Int>> = listOfNotNull(
        texts.rate(median.tokensPerSecond) to R.string.benchmark_decode,
        texts.rate(median.promptTokensPerSecond) to R.string.benchmark_prefill,
        texts.duration(median.secondsToFirstToken) to R.string.benchmark_first,
        median.memoryBytes?.let { texts.size(it) to R.string.benchmark_memory },
    )

    fun medianOf(runs: Int): String = context.resources.getQuantityString(R.plurals.benchmark_median_of, runs, texts.number(runs))

    /** The model, the processor, and the other test conditions. */
    fun facts(state: BenchmarkState, library: LibraryState): List<Pair<Int, String>> = listOfNotNull(
        R.string.benchmark_model to texts.selectionName(library, state.selection),
        state.backend?.let { R.string.benchmark_backend to backend(it, state.threads) },
        state.median?.let { R.string.benchmark_prompt to context.getString(R.string.benchmark_tokens, texts.tokens(it.promptTokens), texts.tokens(it.tokens)) },
        R.string.benchmark_device to Build.MODEL,
        R.string.benchmark_android to Build.VERSION.RELEASE,
    )

    fun asText(state: BenchmarkState, library: LibraryState): String {
        val rows = listOf(columns) +
            state.results.mapIndexed { place, metrics -> cells(runName(place), metrics) } +
            listOfNotNull(state.median?.let { cells(medianName, it) })
        val widths = columns.indices.map { column -> rows.maxOf { it[column].length } }
        val table = rows.joinToString("\n") { row ->
            row.mapIndexed { column, cell -> if (column == 0) cell.padEnd(widths[0]) else cell.padStart(widths[column]) }
                .joinToString("  ").trimEnd()
        }
        val facts = facts(state, library).joinToString("\n") { (label, value) ->
            context.getString(R.string.benchmark_fact, context.getString(label), value)
        }
        return "$facts\n\n$table\n${context.getString(R.string.benchmark_unit)}"
    }

    private fun backend(backend: Backend, threads: Int): String =
        if (backend == Backend.GPU) {
            texts.backend(backend)
        } else {
            context.resources.getQuantityString(R.plurals.benchmark_backend_threads, threads, texts.backend(backend), texts.number(threads))
        }
}
