package io.pocketgemma.chat.benchmark

import io.pocketgemma.chat.inference.InferenceClient
import io.pocketgemma.chat.inference.activeSelection
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.ReplyListener
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Request
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.store.Store

/**
 * Measures the model that is selected when the benchmark starts, one run after another: the same prompt, greedy decoding, and a new
 * conversation for each run, so that every run processes the whole prompt.
 *
 * Main thread only.
 */
class BenchmarkStore(
    private val model: ModelStore,
    private val inference: InferenceClient,
) : Store<BenchmarkState, BenchmarkEvent>(BenchmarkState()) {
    // The settings of every run, even if they change in the meantime.
    private var request: Request? = null
    private var run: Run? = null

    override fun reduce(state: BenchmarkState, event: BenchmarkEvent): BenchmarkState = state.reduce(event)

    override fun act(before: BenchmarkState, after: BenchmarkState, event: BenchmarkEvent) {
        when (event) {
            BenchmarkEvent.Start -> {
                request = null
                run = Run()
            }
            is BenchmarkEvent.RunEnded -> if (after.running) run = Run()
            BenchmarkEvent.Stop -> run?.stop()
            else -> Unit
        }
    }

    private inner class Run : ReplyListener {
        private var stopped = false
        private val asked: AutoCloseable = inference.ask(this) { settings, library ->
            request ?: Request(library.activeSelection(settings), settings.options, CONFIG, BENCHMARK_PROMPT).also {
                request = it
                dispatch(BenchmarkEvent.Began(it.selection, it.options.usedThreads))
            }
        }

        fun stop() {
            stopped = true
            asked.close()
        }

        override fun onText(text: String) = Unit

        override fun onEnd(text: String, end: ReplyEnd) {
            if (!stopped) dispatch(outcome(end))
        }
    }

    private fun outcome(end: ReplyEnd): BenchmarkEvent = when (end) {
        is ReplyEnd.Complete -> ended(end.metrics)
        is ReplyEnd.Stopped -> BenchmarkEvent.Stop
        is ReplyEnd.NoModel -> BenchmarkEvent.Failed(BenchmarkState.Problem.Model(end.problem))
        is ReplyEnd.Failed -> failed(end.detail)
        ReplyEnd.ContextFull -> failed("the prompt and the reply do not fit into the model's context")
    }

    private fun ended(metrics: ReplyMetrics?): BenchmarkEvent =
        if (metrics == null) failed("the runtime gave no numbers") else BenchmarkEvent.RunEnded(metrics, backend())

    private fun failed(detail: String) = BenchmarkEvent.Failed(BenchmarkState.Problem.Runtime(detail))

    private fun backend() = (model.state as? ModelState.Ready)?.backend

    private companion object {
        val CONFIG = ConversationConfig(sampling = Sampling(temperature = 0f, topK = 1, topP = 1f), replyTokens = BENCHMARK_REPLY_TOKENS)
    }
}
