package io.pocketgemma.chat.benchmark

/** The state after an event. Pure: what comes when nothing runs (any more) changes nothing. */
fun BenchmarkState.after(event: BenchmarkEvent): BenchmarkState = when (event) {
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
