package io.pocketgemma.chat.benchmark

import android.app.Application
import android.os.Build
import android.view.View
import android.view.ViewGroup
import android.widget.ProgressBar
import android.widget.SeekBar
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.fake.shootAll
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.ui.ProblemTexts
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class BenchmarkPageTest {
    private val runs = listOf(
        ReplyMetrics(0.214, 128, 873.2, 64, 45.61, 310_000_000),
        ReplyMetrics(0.198, 128, 912.0, 64, 47.02, 312_000_000),
        ReplyMetrics(1.26, 128, 455.0, 64, 9.5, 311_000_000),
    )
    private val done = BenchmarkState(
        runs = 3, warm = true, selection = Selection(SampleLibrary.large.id, SampleLibrary.poet.id), backend = Backend.CPU, threads = 4,
        results = runs,
    )

    private fun stage(state: BenchmarkState = BenchmarkState(), library: LibraryState = SampleLibrary.state) =
        PageStage(RecordingStores(library).apply { benchmark.become(state) }, ::BenchmarkPage)

    @Test
    fun `the number of runs is chosen and the benchmark started`() {
        val stage = stage()
        assertEquals("5 runs", stage.find<SeekBar>(R.id.benchmark_runs).stateDescription)
        assertFalse(stage.isShown(R.id.benchmark_result) || stage.isShown(R.id.benchmark_share) || stage.isShown(R.id.benchmark_progress))
        stage.find<SeekBar>(R.id.benchmark_runs).progress = 0
        assertEquals("Start", stage.text(R.id.benchmark_start))
        stage.click(R.id.benchmark_start)
        assertEquals(listOf(BenchmarkEvent.SetRuns(1), BenchmarkEvent.Start), stage.stores.benchmark.events)
        stage.find<SeekBar>(R.id.benchmark_runs).progress = 19
        assertEquals(BenchmarkEvent.SetRuns(BenchmarkState.RUNS.last), stage.stores.benchmark.events.last())
    }

    @Test
    fun `while it runs it says how far it is, and can be stopped`() {
        val stage = stage(BenchmarkState(running = true))
        stage.stores.model.dispatch(ModelEvent.Changed(ModelState.Loading()))
        assertEquals("Loading model…", stage.text(R.id.benchmark_status))
        stage.stores.model.dispatch(ModelEvent.Changed(ModelState.Ready(Selection("x"), Backend.CPU)))
        assertEquals("Warming up…", stage.text(R.id.benchmark_status))
        assertTrue(stage.find<ProgressBar>(R.id.benchmark_progress).isIndeterminate)
        stage.stores.benchmark.become(BenchmarkState(running = true, warm = true, results = runs.take(1)))
        assertEquals("Run 2 of 5", stage.text(R.id.benchmark_status))
        assertEquals(1, stage.find<ProgressBar>(R.id.benchmark_progress).progress)
        assertFalse(stage.find<View>(R.id.benchmark_runs).isEnabled || stage.isShown(R.id.benchmark_share))
        stage.shoot("benchmark-running")
        assertEquals("Stop", stage.text(R.id.benchmark_start))
        stage.click(R.id.benchmark_start)
        assertEquals(listOf<BenchmarkEvent>(BenchmarkEvent.Stop), stage.stores.benchmark.events)
    }

    @Test
    fun `each run and the median stand in a table that is read row by row`() {
        val stage = stage(done)
        val table = stage.find<ViewGroup>(R.id.benchmark_table)
        val rows = (0 until table.childCount).map(table::getChildAt)
        assertEquals(listOf("Run", "First token", "Prefill", "Decode", "Memory"), stage.words(rows[0]))
        assertEquals(listOf("1", "214 ms", "873", "45.6", "310 MB"), stage.words(rows[1]))
        assertEquals(listOf("3", "1.3 s", "455", "9.5", "311 MB"), stage.words(rows[3]))
        assertEquals(listOf("Median", "214 ms", "873", "45.6", "312 MB"), stage.words(rows[4]))
        assertEquals("Run 1: 214 ms to first token, prefill 873 tokens/s, decode 45.6 tokens/s, 310 MB of memory", rows[1].contentDescription)
        assertTrue(rows[4].contentDescription.startsWith("Median: 214 ms to first token"))
        val words = stage.words(stage.find(R.id.benchmark_result)).map { it.replace(WORD_JOINER, "") }
        for (expected in listOf("Median of 3 runs", "45.6 tokens/s", "Gemma 3 270M with Poet", "CPU, 4 threads", "128 tokens read, 64 tokens generated")) {
            assertTrue("$expected in $words", expected in words)
        }
    }

    /** The lines of the first two figures, as displayed. */
    private fun figures(qualifiers: String): List<List<String>> {
        RuntimeEnvironment.setQualifiers(qualifiers)
        val fast = runs[0].copy(promptTokensPerSecond = 25_697.0, tokensPerSecond = 25_697.0)
        val stage = stage(done.copy(results = listOf(fast)))
        val tiles = stage.children(R.id.benchmark_result)[1] as ViewGroup
        return (0 until tiles.childCount).map { place ->
            val layout = tiles.getChildAt(place).findViewById<TextView>(R.id.tile_value).layout
            (0 until layout.lineCount).map { layout.text.substring(layout.getLineStart(it), layout.getLineEnd(it)).replace(WORD_JOINER, "").trim() }
        }
    }

    @Test
    fun `a large figure has its unit behind it, or whole on the line below`() {
        assertEquals(List(2) { listOf("25,697 tokens/s") }, figures(PORTRAIT))
        // The narrowest phones; at widths between them and a usual phone, a line would end after the "/".
        for (width in 280..400 step 8) {
            for (lines in figures("w${width}dp-h640dp-port-420dpi")) {
                assertTrue("$width: $lines", lines == listOf("25,697 tokens/s") || lines == listOf("25,697", "tokens/s"))
            }
        }
    }

    @Test
    fun `the result goes out as a text with a table in columns`() {
        val stage = stage(done)
        stage.click(R.id.benchmark_copy)
        stage.click(R.id.benchmark_share)
        assertEquals(
            """
            Model: Gemma 3 270M with Poet
            Processor: CPU, 4 threads
            Prompt and reply: 128 tokens read, 64 tokens generated
            Device: ${Build.MODEL}
            Android: ${Build.VERSION.RELEASE}

            Run     First token  Prefill  Decode  Memory
            1            214 ms      873    45.6  310 MB
            2            198 ms      912      47  312 MB
            3             1.3 s      455     9.5  311 MB
            Median       214 ms      873    45.6  312 MB
            Prefill (reading the prompt) and decode (writing the reply) are in tokens per second.
            """.trimIndent(),
            stage.shell.copied.single(),
        )
        assertEquals(stage.shell.copied.single() to "Benchmark", stage.shell.shared.single())
    }

    @Test
    fun `values without memory and a GPU without threads are shown without them`() {
        val stage = stage(done.copy(backend = Backend.GPU, threads = 0, results = listOf(runs[0].copy(memoryBytes = null))))
        val words = stage.words(stage.find(R.id.benchmark_result))
        assertTrue(words.toString(), "GPU" in words && "Median of 1 run" in words)
        assertFalse(words.toString(), words.any { it.contains("MB") })
    }

    @Test
    fun `why it ended early is a sentence`() {
        val stage = stage(BenchmarkState(problem = BenchmarkState.Problem.Model(ModelProblem.Damaged)))
        assertEquals(ProblemTexts(stage.activity).whyNoAnswer(ModelProblem.Damaged), stage.text(R.id.benchmark_problem_text))
        stage.stores.benchmark.become(BenchmarkState(problem = BenchmarkState.Problem.Runtime("code 9")))
        assertEquals("The model stopped during a run. Start the benchmark again. (code 9)", stage.text(R.id.benchmark_problem_text))
        stage.stores.benchmark.become(BenchmarkState())
        assertFalse(stage.isShown(R.id.benchmark_problem))
    }

    @Test
    fun `a model too large for the memory is loaded anyway if the user confirms it`() {
        val state = BenchmarkState(selection = Selection("big"), problem = BenchmarkState.Problem.Model(ModelProblem.TooLarge(2, 1, tryAnyway = true)))
        val stage = stage(state)
        stage.click(R.id.benchmark_anyway)
        assertEquals(listOf(Selection("big") to EngineOptions(ignoreLowMemory = true)), stage.stores.model.prepared.toList())
        assertEquals(listOf<BenchmarkEvent>(BenchmarkEvent.Start), stage.stores.benchmark.events)
        stage.stores.benchmark.become(state.copy(problem = BenchmarkState.Problem.Model(ModelProblem.TooLarge(2, 1, tryAnyway = false))))
        assertFalse(stage.isShown(R.id.benchmark_anyway))
    }

    @Test
    fun `without a model there is nothing to start`() =
        assertFalse(stage(library = LibraryState(loaded = true)).find<View>(R.id.benchmark_start).isEnabled)

    @Test
    fun pictures() {
        stage().shoot("benchmark-start")
        shootAll("benchmark") { stage(done) }
    }

    private companion object {
        const val WORD_JOINER = "\u2060"
    }
}
