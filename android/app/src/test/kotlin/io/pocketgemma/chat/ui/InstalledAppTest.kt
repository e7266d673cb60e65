package io.pocketgemma.chat.ui

import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.AppModelSource
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** The app with the assets that a bundled APK holds: model, manifest and sample questions. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class InstalledAppTest {
    private val application = RuntimeEnvironment.getApplication()
    private val copies get() = File(application.noBackupFilesDir, "model").listFiles().orEmpty().toList()

    @Test
    fun `the model in the APK is set up and answers`() =
        TestScreen(AppModelSource(application)).use { screen ->
            screen.untilReady()
            assertEquals(listOf("${TestModels.sha256(TestModels.taught)}.litertlm"), copies.map { it.name })
            assertTrue(screen.samples.isNotEmpty())
            screen.ask(TestModels.question)
            screen.untilReplied()
            assertEquals(listOf(TestModels.question, TestModels.answer), screen.messages)
        }

    @Test
    fun `a copy that is whole is not made again, and one that was cut is`() {
        TestScreen(AppModelSource(application)).use { it.untilReady() }
        val copy = copies.single()
        val manifest = AppModelSource(application).manifest()
        copy.setLastModified(1_000_000_000_000)
        AppModelSource(application).load(manifest) {}.close()
        assertEquals(1_000_000_000_000, copies.single().lastModified())
        copy.writeBytes(ByteArray(100))
        AppModelSource(application).load(manifest) {}.close()
        assertEquals(TestModels.sha256(TestModels.taught), TestModels.sha256(copies.single()))
        assertFalse(copies.single().lastModified() == 1_000_000_000_000)
    }

    @Test
    fun `the page about the model is filled from the manifest in the APK`() = TestScreen(AppModelSource(application)).use { screen ->
        screen.untilReady()
        assertEquals(AppModelSource(application).manifest().name, screen.find<TextView>(R.id.title).text)
        assertEquals(AppModelSource(application).manifest().name, screen.find<TextView>(R.id.about_name).text)
    }
}
