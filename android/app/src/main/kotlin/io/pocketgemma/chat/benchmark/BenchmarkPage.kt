package io.pocketgemma.chat.benchmark

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.ProgressBar
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ModelStore
import io.pocketgemma.chat.model.canLoadAnyway
import io.pocketgemma.chat.model.retryAfter
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.settings.SettingsState
import io.pocketgemma.chat.store.Store
import io.pocketgemma.chat.ui.Page
import io.pocketgemma.chat.ui.ProblemTexts
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.SettingLabels
import io.pocketgemma.chat.ui.Shell
import io.pocketgemma.chat.ui.StepSlider
import io.pocketgemma.chat.ui.Texts
import io.pocketgemma.chat.ui.Watch
import io.pocketgemma.chat.ui.header
import io.pocketgemma.chat.ui.headerAction
import kotlin.math.roundToInt

/** The stores that the benchmark page shows and changes. */
interface BenchmarkPageStores {
    val model: ModelStore
    val library: Store<LibraryState, LibraryEvent>
    val settings: Store<SettingsState, SettingsEvent>
    val benchmark: Store<BenchmarkState, BenchmarkEvent>
}

/** The speed of the model on this phone: several runs, their median, and the result as text to share. */
class BenchmarkPage(parent: ViewGroup, private val stores: BenchmarkPageStores, private val shell: Shell) : Page {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.benchmark, parent, false)

    private val context = view.context
    private val texts = Texts(context)
    private val problems = ProblemTexts(context)
    private val words = BenchmarkTexts(context)
    private val watch = Watch()
    private val status: TextView = view.findViewById(R.id.benchmark_status)
    private val progress: ProgressBar = view.findViewById(R.id.benchmark_progress)
    private val start: Button = view.findViewById(R.id.benchmark_start)
    private val problem: View = view.findViewById(R.id.benchmark_problem)
    private val problemText: TextView = view.findViewById(R.id.benchmark_problem_text)
    private val anyway: View = view.findViewById(R.id.benchmark_anyway)
    private val result = BenchmarkResult(view.findViewById(R.id.benchmark_result), words)
    private val copy = view.headerAction(R.id.benchmark_copy, R.drawable.icon_copy, R.string.benchmark_copy) { shell.copy(asText()) }
    private val share = view.headerAction(R.id.benchmark_share, R.drawable.icon_share, R.string.benchmark_share) {
        shell.share(asText(), context.getString(R.string.benchmark_share_title))
    }
    private val runs = StepSlider(
        view.findViewById(R.id.benchmark_setting),
        SettingLabels(R.id.benchmark_runs, R.string.benchmark_runs, R.string.benchmark_runs_meaning),
        steps = BenchmarkState.RUNS.map { it.toDouble() },
        words = { context.resources.getQuantityString(R.plurals.benchmark_runs_count, it.roundToInt(), texts.number(it.roundToInt())) },
    ) { stores.benchmark.dispatch(BenchmarkEvent.SetRuns(it.roundToInt())) }

    init {
        view.header(Screen.BENCHMARK, shell)
        anyway.setOnClickListener { loadAnyway() }
        start.setOnClickListener {
            stores.benchmark.dispatch(if (stores.benchmark.state.running) BenchmarkEvent.Stop else BenchmarkEvent.Start)
        }
    }

    override fun show() {
        watch.on(stores.benchmark) { render() }
        watch.on(stores.library) { render() }
        watch.on(stores.model) { render() }
    }

    override fun hide() = watch.close()

    private fun render() {
        val state = stores.benchmark.state
        val done = state.results.size
        runs.show(state.runs.toDouble())
        runs.isEnabled = !state.running
        start.setText(if (state.running) R.string.benchmark_stop else R.string.benchmark_start)
        start.isEnabled = state.running || stores.library.state.models.isNotEmpty()
        status.visibility = if (state.running) View.VISIBLE else View.GONE
        val now = phase(state)
        // Setting the same text at every change of the state would make TalkBack read it again.
        if (status.text.toString() != now) status.text = now
        progress.visibility = status.visibility
        // In this order: a progress bar ignores values while it is indeterminate.
        progress.isIndeterminate = state.running && !state.warm
        progress.max = state.runs
        progress.progress = done
        problem.visibility = if (state.problem != null) View.VISIBLE else View.GONE
        problemText.text = when (val why = state.problem) {
            null -> ""
            is BenchmarkState.Problem.Model -> problems.whyNoAnswer(why.problem)
            is BenchmarkState.Problem.Runtime -> context.getString(R.string.benchmark_runtime_problem, why.detail)
        }
        val tooLarge = (state.problem as? BenchmarkState.Problem.Model)?.problem?.canLoadAnyway == true
        anyway.visibility = if (tooLarge) View.VISIBLE else View.GONE
        result.render(state, stores.library.state)
        for (action in listOf(copy, share)) action.visibility = if (done > 0 && !state.running) View.VISIBLE else View.GONE
    }

    private fun loadAnyway() {
        val state = stores.benchmark.state
        val problem = (state.problem as? BenchmarkState.Problem.Model)?.problem ?: return
        stores.model.retryAfter(problem, state.selection ?: return, stores.settings.state.settings.options)
        stores.benchmark.dispatch(BenchmarkEvent.Start)
    }

    private fun phase(state: BenchmarkState): String = when {
        !state.running -> ""
        state.warm -> context.getString(R.string.benchmark_run_of, texts.number((state.results.size + 1).coerceAtMost(state.runs)), texts.number(state.runs))
        stores.model.state is ModelState.Loading -> context.getString(R.string.benchmark_loading)
        else -> context.getString(R.string.benchmark_warming)
    }

    private fun asText(): String = words.asText(stores.benchmark.state, stores.library.state)
}
