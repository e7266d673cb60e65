package io.pocketgemma.chat.benchmark

import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Numbers
import io.pocketgemma.chat.model.Selection

/** The same prompt several times over, each in a conversation of its own. */
data class BenchmarkState(
    val runs: Int = 5,
    val running: Boolean = false,
    /** Who answered; null before the first run. */
    val selection: Selection? = null,
    /** Where it really ran, and on how many threads. */
    val backend: Backend? = null,
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

    /** A run has ended; null for the first one, which warms up. */
    data class RunEnded(val numbers: Numbers?) : BenchmarkEvent

    data class Failed(val problem: BenchmarkState.Problem) : BenchmarkEvent
}
