package io.pocketgemma.chat.benchmark

import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Numbers
import io.pocketgemma.chat.model.Selection

/** The same prompt several times over, each in a conversation of its own. */
data class BenchmarkState(
    val runs: Int = 5,
    val running: Boolean = false,
    /** The first run of all, which warms up, has ended. */
    val warm: Boolean = false,
    /** Who answered; null before the first run. */
    val selection: Selection? = null,
    /** Where it really ran; null before the first run has ended. */
    val backend: Backend? = null,
    /** On how many threads, where the processor did it. */
    val threads: Int = 0,
    /** One for each run that has ended; the first of all, which warms up, is not among them. */
    val results: List<Numbers> = emptyList(),
    /** Why it ended early. */
    val problem: Problem? = null,
) {
    sealed interface Problem {
        data class Model(val problem: ModelProblem) : Problem

        data class Runtime(val detail: String) : Problem
    }

    /** The median of each number; null before the first run has ended. */
    val median: Numbers? get() = medianOf(results)

    companion object {
        val RUNS = 1..20
    }
}

/** Each number's own median: they need not come from the same run. */
fun medianOf(results: List<Numbers>): Numbers? {
    if (results.isEmpty()) return null
    fun median(value: (Numbers) -> Double): Double {
        val sorted = results.map(value).sorted()
        val middle = sorted.size / 2
        return if (sorted.size % 2 == 1) sorted[middle] else (sorted[middle - 1] + sorted[middle]) / 2
    }
    return Numbers(
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

    /** This is who answers all runs, on so many threads. */
    data class Began(val selection: Selection, val threads: Int) : BenchmarkEvent

    /** A run has ended, the first of which warms up, on [backend] (null: the host does not say). */
    data class RunEnded(val numbers: Numbers, val backend: Backend?) : BenchmarkEvent

    data class Failed(val problem: BenchmarkState.Problem) : BenchmarkEvent
}

/** The state after an event. Pure: what comes when nothing runs (any more) changes nothing. */
fun BenchmarkState.reduce(event: BenchmarkEvent): BenchmarkState = when (event) {
    is BenchmarkEvent.SetRuns -> if (running) this else copy(runs = event.runs.coerceIn(BenchmarkState.RUNS))
    BenchmarkEvent.Start -> if (running) this else BenchmarkState(runs, running = true)
    BenchmarkEvent.Stop -> copy(running = false)
    is BenchmarkEvent.Began -> if (running) copy(selection = event.selection, threads = event.threads) else this
    is BenchmarkEvent.RunEnded -> if (running) ranOnce(event) else this
    is BenchmarkEvent.Failed -> if (running) copy(running = false, problem = event.problem) else this
}

private fun BenchmarkState.ranOnce(event: BenchmarkEvent.RunEnded): BenchmarkState {
    val all = if (warm) results + event.numbers else results
    return copy(running = all.size < runs, warm = true, backend = event.backend, results = all)
}
