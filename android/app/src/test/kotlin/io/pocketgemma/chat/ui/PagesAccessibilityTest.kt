package io.pocketgemma.chat.ui

import android.app.Application
import android.content.Context
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.benchmark.BenchmarkState
import io.pocketgemma.chat.chat.ReplyStatus
import io.pocketgemma.chat.compare.Answer
import io.pocketgemma.chat.compare.CompareState
import io.pocketgemma.chat.library.Import
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Numbers
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
import kotlin.math.pow
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** The pages beside the chat for fingers, screen readers and tired eyes. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class PagesAccessibilityTest {
    private val numbers = Numbers(0.12, 20, 900.0, 13, 45.6, 310_000_000)
    private val tuned = Selection(SampleLibrary.tuned.id)

    private fun stores() = RecordingStores(
        SampleLibrary.state.copy(importing = Import("poet.tflite", 0.4), refused = LibraryState.Refused("a.pdf", ModelProblem.WrongKind(null))),
        Settings(ownSampling = true),
    ).apply {
        compare.become(
            CompareState(
                Answer(Selection(SampleLibrary.base.id), "one", ReplyStatus.Complete(numbers)),
                Answer(tuned, "two", ReplyStatus.Complete(numbers)),
                question = "Why?",
            ),
        )
        benchmark.become(BenchmarkState(selection = tuned, backend = Backend.CPU, threads = 4, results = listOf(numbers, numbers)))
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

    /** A text that can be selected is clickable too, but it need not be hit. */
    private fun View.isButton() = (isClickable || this is EditText) && !(this is TextView && isTextSelectable && this !is EditText)

    @Test
    fun `whatever can be tapped is at least 48 dp wide and high`() {
        for (stage in stages()) {
            val density = stage.activity.resources.displayMetrics.density
            val small = shown(stage.page.view).filter { it.isButton() && (it.width < 48 * density - 1 || it.height < 48 * density - 1) }
            assertEquals(emptyList<String>(), small.map { "${name(it)}: ${it.width / density} x ${it.height / density} dp" })
        }
    }

    @Test
    fun `whatever can be tapped has a name`() {
        for (stage in stages()) {
            val nameless = shown(stage.page.view).filter { view ->
                view.isButton() && view.contentDescription.isNullOrBlank() && stage.words(view).isEmpty() &&
                    !(view is EditText && (!view.hint.isNullOrBlank() || isLabelled(stage, view)))
            }
            assertEquals(emptyList<String>(), nameless.map(::name))
        }
    }

    private fun isLabelled(stage: PageStage, field: View) = shown(stage.page.view).any { it.labelFor == field.id }

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

    /** Every colour of letters on every ground that these pages put it on: 4.5 : 1 by WCAG 2.1, 1.4.3. */
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
        val weak = pairs.map { (letters, ground) -> Triple(letters, ground, contrast(context, letters, ground)) }.filter { it.third < LEAST }
        assertEquals(
            emptyList<String>(),
            weak.map { (letters, ground, value) -> "${context.resources.getResourceEntryName(letters)} on ${context.resources.getResourceEntryName(ground)}: $value" },
        )
    }

    private fun contrast(context: Context, one: Int, other: Int): Double {
        val (dark, light) = listOf(one, other).map { luminance(context.getColor(it)) }.sorted()
        return (light + 0.05) / (dark + 0.05)
    }

    /** Relative luminance of an sRGB colour (WCAG 2.1). */
    private fun luminance(color: Int): Double {
        fun channel(shift: Int): Double {
            val value = (color shr shift and 0xff) / 255.0
            return if (value <= 0.03928) value / 12.92 else ((value + 0.055) / 1.055).pow(2.4)
        }
        return 0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0)
    }

    private companion object {
        const val LEAST = 4.5
    }
}
