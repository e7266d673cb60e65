package io.pocketgemma.chat.settings

import android.app.Application
import android.content.Context
import io.pocketgemma.chat.fake.ManualExecutor
import io.pocketgemma.chat.fake.ManualMainThread
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.model.Selection
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class SettingsStoreTest {
    private val context = RuntimeEnvironment.getApplication()
    private val file = SettingsFile(context)
    private val disk = ManualExecutor()
    private val main = ManualMainThread()
    private val store = SettingsStore(file, disk, main)
    private val changed = Settings(
        Backend.GPU, 3, true, Sampling(0.5f, 7, 0.25f, 42), 100, "Be brief.\nAlways. 😀", true, true, Selection("model", "adapter"),
    )
    private val preferences get() = context.getSharedPreferences(SettingsFile.NAME, Context.MODE_PRIVATE)

    private fun settle() {
        disk.run()
        main.advance()
    }

    @Test
    fun `without anything stored the defaults are reported as loaded`() {
        assertEquals(SettingsState(), store.state)
        settle()
        assertEquals(SettingsState(Settings(), loaded = true), store.state)
    }

    @Test
    fun `a change is shown at once, written on the disk's thread, and there at the next start`() {
        settle()
        store.dispatch(SettingsEvent.Change(changed))
        assertEquals(changed, store.state.settings)
        assertEquals(Settings(), file.read())
        settle()
        assertEquals(changed, file.read())
        assertTrue(File(context.dataDir, "shared_prefs/${SettingsFile.NAME}.xml").isFile)
        val next = SettingsStore(file, disk, main)
        settle()
        assertEquals(SettingsState(changed, loaded = true), next.state)
    }

    @Test
    fun `a selection without an adapter, and none at all, take the place of one with`() {
        for (selection in listOf(Selection("model", "adapter"), Selection("model"), null)) {
            file.write(changed.copy(selection = selection))
            assertEquals(selection, file.read().selection)
        }
    }

    @Test
    fun `of changes in a row the last is written`() {
        settle()
        for (threads in 1..8) store.dispatch(SettingsEvent.Change(Settings(threads = threads)))
        settle()
        assertEquals(8, file.read().threads)
    }

    @Test
    fun `a change is moved within the limits`() {
        settle()
        store.dispatch(SettingsEvent.Change(Settings(threads = 100)))
        settle()
        assertEquals(8, store.state.settings.threads)
        assertEquals(8, file.read().threads)
    }

    @Test
    fun `what is changed before the stored settings are known does not overwrite them`() {
        file.write(changed)
        store.dispatch(SettingsEvent.Change(Settings(threads = 1)))
        store.dispatch(SettingsEvent.Reset)
        settle()
        assertEquals(changed, store.state.settings)
        assertEquals(changed, file.read())
    }

    @Test
    fun `a reset keeps the selected model and the backup setting`() {
        settle()
        store.dispatch(SettingsEvent.Change(changed))
        store.dispatch(SettingsEvent.Reset)
        settle()
        val expected = Settings(backUp = true, selection = Selection("model", "adapter"))
        assertEquals(expected, store.state.settings)
        assertEquals(expected, file.read())
    }

    @Test
    fun `values of another type or beyond the limits never stop the app`() {
        file.write(changed)
        val types = preferences.all
        val wrong = preferences.edit()
        for (key in types.keys) if (types[key] is String) wrong.putInt(key, 7) else wrong.putString(key, "x")
        wrong.commit()
        assertEquals(Settings(), file.read())
        file.write(changed)
        preferences.edit().putString("backend", "NPU").putInt("threads", -3).putFloat("temperature", Float.NaN).putInt("reply_tokens", 1 shl 30).commit()
        val expected = changed.copy(backend = Backend.CPU, threads = 0, sampling = changed.sampling.copy(temperature = 1f), replyTokens = 4096)
        assertEquals(expected, file.read())
    }
}
