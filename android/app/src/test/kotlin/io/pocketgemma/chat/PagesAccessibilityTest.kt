package io.pocketgemma.chat

import android.app.Application
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import io.pocketgemma.chat.about.AboutPage
import io.pocketgemma.chat.benchmark.BenchmarkPage
import io.pocketgemma.chat.benchmark.BenchmarkState
import io.pocketgemma.chat.compare.Answer
import io.pocketgemma.chat.compare.ComparePage
import io.pocketgemma.chat.compare.CompareState
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.library.Import
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.models.ModelsPage
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsPage
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Accessibility of all pages but the chat. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class PagesAccessibilityTest {
    private val metrics = ReplyMetrics(0.12, 20, 900.0, 13, 45.6, 310_000_000)
    private val tuned = Selection(SampleLibrary.tuned.id)

    private fun stores() = RecordingStores(
        SampleLibrary.state.copy(importing = Import("poet.tflite", 0.4), refused = LibraryState.Refused("a.pdf", ModelProblem.WrongKind(null))),
        Settings(ownSampling = true),
    ).apply {
        compare.become(
            CompareState(
                Answer(Selection(SampleLibrary.base.id), "one", ReplyStatus.Complete(metrics)),
                Answer(tuned, "two", ReplyStatus.Complete(metrics)),
                question = "Why?",
            ),
        )
        benchmark.become(BenchmarkState(selection = tuned, backend = Backend.CPU, threads = 4, results = listOf(metrics, metrics)))
    }

    private fun stages() = listOf(
        PageStage(stores(), ::ModelsPage),
        PageStage(stores(), ::ComparePage),
        PageStage(stores(), ::SettingsPage),
        PageStage(stores(), ::BenchmarkPage),
        PageStage(stores(), ::AboutPage),
    )

    private fun shown(view: View): List<View> = when {
        view.visibility != View.VISIBLE -> emptyList()
        view is ViewGroup -> listOf(view) + (0 until view.childCount).flatMap { shown(view.getChildAt(it)) }
        else -> listOf(view)
    }

    private fun name(view: View) = "${view.javaClass.simpleName} ${view.resources.takeIf { view.id != View.NO_ID }?.getResourceEntryName(view.id)}"

    private fun check() = stages().forEach { assertEquals(emptyList<String>(), Accessibility.faults(it.page.view)) }

    @Test
    fun `labels, sizes and contrast, in the light`() = check()

    @Test
    @Config(qualifiers = "+night")
    fun `labels, sizes and contrast, in the dark`() = check()

    @Test
    fun `every page has a heading besides its title`() {
        for (stage in stages().drop(2)) assertTrue(shown(stage.page.view).count { it.isAccessibilityHeading } > 1)
    }

    @Test
    fun `with the largest letters nothing is cut off at the side`() {
        RuntimeEnvironment.setFontScale(2f)
        for (stage in stages()) {
            val cut = shown(stage.page.view).filterIsInstance<TextView>().filter { view ->
                view !is EditText && view.layout != null && (0 until view.layout.lineCount).any { view.layout.getEllipsisCount(it) > 0 }
            }.filter { it.parent !is ViewGroup || (it.parent as View).id != R.id.compare_chips }
            assertEquals(emptyList<String>(), cut.map { "${name(it)}: ${it.text}" })
        }
    }

    @Test
    fun `letters stand out by day`() = contrasts()

    @Test
    @Config(qualifiers = "+night")
    fun `letters stand out by night`() = contrasts()

    /** Every text color on every background that these pages use: 4.5:1 by WCAG 2.1, 1.4.3. */
    private fun contrasts() {
        val context = RuntimeEnvironment.getApplication()
        val grounds = listOf(R.color.background, R.color.surface, R.color.surface_strong)
        val pairs = listOf(R.color.text, R.color.text_dim, R.color.primary).flatMap { letters -> grounds.map { letters to it } } + listOf(
            R.color.warning to R.color.warning_surface,
            R.color.text to R.color.warning_surface,
            R.color.primary to R.color.warning_surface,
            R.color.warning to R.color.surface,
            R.color.warning to R.color.surface_strong,
            R.color.warning to R.color.background,
            R.color.on_primary to R.color.primary,
        )
        val weak = pairs.map { (letters, ground) -> Triple(letters, ground, Accessibility.contrast(context.getColor(letters), context.getColor(ground))) }
            .filter { it.third < Accessibility.TEXT_CONTRAST }
        assertEquals(
            emptyList<String>(),
            weak.map { (letters, ground, value) -> "${context.resources.getResourceEntryName(letters)} on ${context.resources.getResourceEntryName(ground)}: $value" },
        )
    }
}
