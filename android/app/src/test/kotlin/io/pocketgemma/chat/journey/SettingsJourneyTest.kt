package io.pocketgemma.chat.journey

import android.view.View
import android.widget.Switch
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

/** Settings can be changed, take effect, are saved, and can be reset; the speed is measured and reported. */
class SettingsJourneyTest : JourneyTest() {
    private fun Phone.value(id: Int): String = (find<View>(id).parent as View).findViewById<TextView>(R.id.setting_value).text.toString()


    private fun Phone.openSettings() = open(R.string.page_settings, R.id.settings_page)

    @Test
    fun `numbers are shown when asked for, replies get as long as allowed, and both are remembered`() = journey {
        untilReady()
        importFile(this, TestModels.endless, "endless.litertlm")
        close(R.id.models_page)
        openSettings()
        tap(R.id.set_numbers)
        slide(R.id.set_reply_tokens, 0.0)
        val shortest = value(R.id.set_reply_tokens)
        assertTrue(shortest, shortest.contains("16"))
        close(R.id.settings_page)
        ask("go on")
        untilReplied()
        val caption = text(R.id.reply_caption)
        assertTrue(caption, caption.contains("16") && caption.contains("/s"))
        die()
        openSettings()
        assertTrue(find<Switch>(R.id.set_numbers).isChecked)
        assertEquals(shortest, value(R.id.set_reply_tokens))
    }

    @Test
    fun `where there is no GPU the processor answers and says so`() = journey {
        untilReady()
        openSettings()
        tap(R.id.backend_gpu)
        close(R.id.settings_page)
        askTaught()
        assertTrue(text(R.id.status), text(R.id.status).contains(say(R.string.model_fell_back)))
        openSettings()
        assertTrue(isShown(R.id.set_backend_fell_back))
        tap(R.id.backend_cpu)
        close(R.id.settings_page)
        askTaught()
        assertFalse(text(R.id.status), text(R.id.status).contains(say(R.string.model_fell_back)))
    }

    @Test
    fun `tokens are drawn as it is set, and the same seed draws the same`() = journey {
        untilReady()
        importFile(this, TestModels.endless, "endless.litertlm")
        close(R.id.models_page)
        openSettings()
        slide(R.id.set_reply_tokens, 0.02)
        tap(R.id.set_sampling)
        slide(R.id.set_temperature, 1.0)
        type(R.id.set_seed, "7")
        close(R.id.settings_page)
        fun drawn(): String {
            startAnew()
            ask("go on")
            untilReplied()
            return replies.single()
        }
        val first = drawn()
        assertEquals(first, drawn())
        openSettings()
        type(R.id.set_seed, "8")
        close(R.id.settings_page)
        assertTrue("another seed drew the same", first != drawn())
    }

    @Test
    fun `a standing instruction reaches the model, and a reset takes everything back`() = journey {
        untilReady()
        openSettings()
        // It fills the whole context, which shows that it reaches the model.
        type(R.id.set_system_prompt, "Say nothing. ".repeat(150))
        close(R.id.settings_page)
        ask(TestModels.question)
        until("it does not fit any more") { words().contains(say(R.string.question_and_instruction_too_long)) }
        assertFalse(isShown(R.id.context_offer))
        openSettings()
        tap(R.id.reset_settings)
        tap(say(R.string.reset_confirm))
        until("it is empty") { text(R.id.set_system_prompt).isEmpty() }
        close(R.id.settings_page)
        startAnew()
        askTaught()
    }

    @Test
    fun `nothing is backed up unless the user turns it on`() = journey {
        untilReady()
        openSettings()
        assertFalse(find<Switch>(R.id.set_backup).isChecked)
    }

    @Test
    fun `a benchmark gives medians that can be shared`() = journey {
        untilReady()
        open(R.string.page_benchmark, R.id.benchmark_page)
        slide(R.id.benchmark_runs, 0.11)
        tap(R.id.benchmark_start)
        until("the median is shown", seconds = 120) {
            isShown(R.id.benchmark_result) && find<TextView>(R.id.benchmark_start).text.toString() == say(R.string.benchmark_start)
        }
        tap(R.id.benchmark_share)
        val shared = OtherApps(this).shared()
        assertTrue(shared, shared.contains(say(R.string.benchmark_median)) && Regex("""\d""").containsMatchIn(shared))
    }

    @Test
    fun `the about page shows the measurements of the pipeline`() = journey {
        untilReady()
        open(R.string.page_about, R.id.about_page)
        val words = words(find(R.id.about_page)).joinToString("\n")
        for (fact in listOf("LoRA", "int8", "%", "Apache", "LiteRT-LM", TestModels.sha256(TestModels.taught).take(8))) {
            assertTrue("no $fact in:\n$words", words.contains(fact))
        }
    }
}
