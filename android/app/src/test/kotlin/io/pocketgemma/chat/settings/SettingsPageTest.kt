package io.pocketgemma.chat.settings

import android.app.AlertDialog
import android.app.Application
import android.content.DialogInterface
import android.view.KeyEvent
import android.view.View
import android.widget.EditText
import android.widget.RadioButton
import android.widget.SeekBar
import android.widget.Switch
import io.pocketgemma.chat.R
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.fake.shootAll
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.ui.Screen
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class SettingsPageTest {
    private fun stage(settings: Settings = Settings()) = PageStage(RecordingStores(SampleLibrary.state, settings), ::SettingsPage)

    private val PageStage.changes: List<Settings> get() = stores.settings.events.map { (it as SettingsEvent.Change).settings }

    private fun PageStage.said(id: Int): String = find<SeekBar>(id).stateDescription.toString()

    @Test
    fun `each setting shows its present value`() {
        val stage = stage(
            Settings(
                backend = Backend.GPU, threads = 4, ownSampling = true, sampling = Sampling(0.7f, 40, 0.9f, 123),
                replyTokens = 1024, systemPrompt = "Be brief.", showMetrics = true, backUp = true,
            ),
        )
        assertTrue(stage.find<RadioButton>(R.id.backend_gpu).isChecked)
        assertEquals("4 threads", stage.said(R.id.set_threads))
        assertEquals("0.7", stage.said(R.id.set_temperature))
        assertEquals("40 tokens", stage.said(R.id.set_top_k))
        assertEquals("90%", stage.said(R.id.set_top_p))
        assertEquals("1,024 tokens", stage.said(R.id.set_reply_tokens))
        assertEquals("123", stage.text(R.id.set_seed))
        assertEquals("Be brief.", stage.text(R.id.set_system_prompt))
        assertTrue(stage.find<Switch>(R.id.set_numbers).isChecked && stage.find<Switch>(R.id.set_backup).isChecked)
        assertEquals("Pocket Science", stage.text(R.id.set_model_name))
        assertEquals("showing changes nothing", emptyList<Settings>(), stage.changes)
    }

    @Test
    fun `defaults are said in words`() {
        val stage = stage()
        assertEquals("Automatic", stage.said(R.id.set_threads))
        assertEquals("512 tokens", stage.said(R.id.set_reply_tokens))
        assertFalse(stage.isShown(R.id.set_temperature))
        stage.stores.settings.become(SettingsState(Settings(ownSampling = true), loaded = true))
        assertEquals(listOf("1", "64 tokens", "95%"), listOf(R.id.set_temperature, R.id.set_top_k, R.id.set_top_p).map { stage.said(it) })
        assertEquals("", stage.text(R.id.set_seed))
    }

    @Test
    fun `each control changes its own setting`() {
        val start = Settings(ownSampling = true)
        val stage = stage(start)
        stage.click(R.id.backend_gpu)
        stage.find<SeekBar>(R.id.set_threads).progress = 2
        stage.find<SeekBar>(R.id.set_temperature).progress = 6
        stage.find<SeekBar>(R.id.set_top_k).progress = 0
        stage.find<SeekBar>(R.id.set_top_p).progress = 10
        stage.find<EditText>(R.id.set_seed).setText("77")
        stage.find<SeekBar>(R.id.set_reply_tokens).progress = 0
        stage.find<EditText>(R.id.set_system_prompt).setText("Rhyme.")
        stage.click(R.id.set_numbers)
        stage.click(R.id.set_backup)
        stage.click(R.id.set_sampling)
        assertEquals(
            listOf(
                start.copy(backend = Backend.GPU),
                start.copy(threads = 2),
                start.copy(sampling = Sampling(temperature = 0.3f)),
                start.copy(sampling = Sampling(topK = 1)),
                start.copy(sampling = Sampling(topP = 0.5f)),
                start.copy(sampling = Sampling(seed = 77)),
                start.copy(replyTokens = 16),
                start.copy(systemPrompt = "Rhyme."),
                start.copy(showMetrics = true),
                start.copy(backUp = true),
                start.copy(ownSampling = false),
            ),
            stage.changes,
        )
    }

    @Test
    fun `every step of every slider is a value that the settings allow`() {
        val stage = stage(Settings(ownSampling = true))
        for (id in listOf(R.id.set_threads, R.id.set_temperature, R.id.set_top_k, R.id.set_top_p, R.id.set_reply_tokens)) {
            val slider = stage.find<SeekBar>(id)
            for (step in 0..slider.max) slider.progress = step
        }
        assertTrue(stage.changes.size > 90)
        for (settings in stage.changes) assertEquals(settings.withinLimits(), settings)
        assertEquals(setOf(Settings.THREADS.last, 0), stage.changes.map { it.threads }.toSet().let { setOf(it.max(), it.min()) })
        assertEquals(Settings.MAX_TEMPERATURE, stage.changes.maxOf { it.sampling.temperature })
        assertEquals(Settings.TOP_K.last, stage.changes.maxOf { it.sampling.topK })
        assertEquals(Settings.REPLY_TOKENS.last, stage.changes.maxOf { it.replyTokens })
    }

    @Test
    fun `a value between two steps stays until the slider is moved`() {
        val stage = stage(Settings(replyTokens = 700))
        assertEquals("700 tokens", stage.said(R.id.set_reply_tokens))
        assertEquals(emptyList<Settings>(), stage.changes)
    }

    @Test
    fun `an arrow key moves a slider by one step`() {
        val stage = stage()
        val slider = stage.find<SeekBar>(R.id.set_reply_tokens)
        val before = slider.progress
        slider.onKeyDown(KeyEvent.KEYCODE_DPAD_RIGHT, KeyEvent(KeyEvent.ACTION_DOWN, KeyEvent.KEYCODE_DPAD_RIGHT))
        assertEquals(before + 1, slider.progress)
    }

    @Test
    fun `a seed that is no number of an int is none`() {
        val stage = stage(Settings(ownSampling = true, sampling = Sampling(seed = 5)))
        stage.find<EditText>(R.id.set_seed).setText("")
        stage.find<EditText>(R.id.set_seed).setText("99999999999")
        assertEquals(listOf(0, 999_999_999), stage.changes.map { it.sampling.seed })
    }

    @Test
    fun `that the graphics chip failed is said`() {
        val stage = stage(Settings(backend = Backend.GPU))
        assertFalse(stage.isShown(R.id.set_backend_fell_back))
        stage.stores.model.dispatch(ModelEvent.Changed(ModelState.Ready(Selection(SampleLibrary.tuned.id), Backend.CPU, fellBack = true)))
        assertTrue(stage.isShown(R.id.set_backend_fell_back))
    }

    @Test
    fun `reset asks first`() {
        val stage = stage()
        stage.click(R.id.reset_settings)
        (ShadowAlertDialog.getLatestAlertDialog() as AlertDialog).getButton(DialogInterface.BUTTON_NEGATIVE).performClick()
        stage.settle()
        assertEquals(emptyList<SettingsEvent>(), stage.stores.settings.events)
        stage.click(R.id.reset_settings)
        (ShadowAlertDialog.getLatestAlertDialog() as AlertDialog).getButton(DialogInterface.BUTTON_POSITIVE).performClick()
        stage.settle()
        assertEquals(listOf<SettingsEvent>(SettingsEvent.Reset), stage.stores.settings.events)
        stage.stores.settings.become(SettingsState(Settings(systemPrompt = "x"), loaded = true))
        stage.stores.settings.become(SettingsState(Settings(), loaded = true))
        assertEquals("", stage.text(R.id.set_system_prompt))
    }

    @Test
    fun `nothing can be changed before the settings are read`() {
        val stage = stage()
        stage.stores.settings.become(SettingsState(loaded = false))
        assertFalse(stage.isShown(R.id.set_numbers))
    }

    @Test
    fun `the model is changed on the models page`() {
        val stage = stage()
        stage.click(R.id.set_model)
        assertEquals(listOf(Screen.MODELS), stage.shell.opened)
    }

    @Test
    fun `every control has a label for TalkBack`() {
        val stage = stage(Settings(ownSampling = true))
        for (id in listOf(R.id.set_threads, R.id.set_temperature, R.id.set_top_k, R.id.set_top_p, R.id.set_reply_tokens)) {
            assertFalse(stage.find<View>(id).contentDescription.isNullOrBlank())
        }
        for (id in listOf(R.id.set_sampling, R.id.set_numbers, R.id.set_backup)) assertTrue(stage.text(id).isNotBlank())
    }

    @Test
    fun pictures() = shootAll("settings") {
        stage(Settings(backend = Backend.GPU, ownSampling = true, sampling = Sampling(0.7f, 40, 0.9f, 42), systemPrompt = "Answer in one short sentence.")).apply {
            stores.model.dispatch(ModelEvent.Changed(ModelState.Ready(Selection(SampleLibrary.tuned.id), Backend.CPU, fellBack = true)))
        }
    }
}
