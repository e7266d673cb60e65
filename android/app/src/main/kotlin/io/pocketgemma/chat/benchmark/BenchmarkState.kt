package io.pocketgemma.chat.benchmark

import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Selection

/** The same prompt several times, each time in a new conversation. */
data class BenchmarkState(
    val runs: Int = 5,
    val running: Boolean = false,
    /** The warm-up run has ended. */
    val warm: Boolean = false,
    /** The model that replied; null before the first run. */
    val selection: Selection? = null,
    /** The backend that the model ran on; null before the first run has ended. */
    val backend: Backend? = null,
    /** Number of threads, if the model ran on the CPU. */
    val threads: Int = 0,
    /** One entry for each completed run, without the warm-up run. */
    val results: List<ReplyMetrics> = emptyList(),
    /** Why the benchmark ended early. */
    val problem: Problem? = null,
) {
    sealed interface Problem {
        data class Model(val problem: ModelProblem) : Problem

        data class Runtime(val detail: String) : Problem
    }

    /** The median of each value; null before the first run has ended. */
    val median: ReplyMetrics? get() = medianOf(results)

    companion object {
        val RUNS = 1..20
    }
}

/** The median of each value by itself: the values need not come from the same run. */
fun medianOf(results: List<ReplyMetrics>): ReplyMetrics? {
    if (results.isEmpty()) return null
    fun median(value: (ReplyMetrics) -> Double): Double {
        val sorted = results.map(value).sorted()
        val middle = sorted.size / 2
        return if (sorted.size % 2 == 1) sorted[middle] else (sorted[middle - 1] + sorted[middle]) / 2
    }
    return ReplyMetrics(
        secondsToFirstToken = median { it.secondsToFirstToken },
        promptTokens = median { it.promptTokens.toDouble() }.toInt(),
        promptTokensPerSecond = median { it.promptTokensPerSecond },
        tokens = median { it.tokens.toDouble() }.toInt(),
        tokensPerSecond = median { it.tokensPerSecond },
        memoryBytes = results.mapNotNull { it.memoryBytes }.maxOrNull(),
    )
}

sealed interface BenchmarkEvent {
    data class SetRuns(val runs: Int) : BenchmarkEvent

    data object Start : BenchmarkEvent

    data object Stop : BenchmarkEvent

    /** The model for all runs and its number of threads. */
    data class Began(val selection: Selection, val threads: Int) : BenchmarkEvent

    /** A run has ended (the first one is the warm-up run) on [backend] (null: not reported). */
    data class RunEnded(val metrics: ReplyMetrics, val backend: Backend?) : BenchmarkEvent

    data class Failed(val problem: BenchmarkState.Problem) : BenchmarkEvent
}

/** The state after an event. Pure: events that arrive when no benchmark is running change nothing. */
fun BenchmarkState.reduce(event: BenchmarkEvent): BenchmarkState = when (event) {
    is BenchmarkEvent.SetRuns -> if (running) this else copy(runs = event.runs.coerceIn(BenchmarkState.RUNS))
    BenchmarkEvent.Start -> if (running) this else BenchmarkState(runs, running = true)
    BenchmarkEvent.Stop -> copy(running = false)
    is BenchmarkEvent.Began -> if (running) copy(selection = event.selection, threads = event.threads) else this
    is BenchmarkEvent.RunEnded -> if (running) ranOnce(event) else this
    is BenchmarkEvent.Failed -> if (running) copy(running = false, problem = event.problem) else this
}

private fun BenchmarkState.ranOnce(event: BenchmarkEvent.RunEnded): BenchmarkState {
    val all = if (warm) results + event.metrics else results
    return copy(running = all.size < runs, warm = true, backend = event.backend, results = all)
}
