package io.pocketgemma.chat.about

import android.app.AlertDialog
import android.app.Application
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.fake.shootAll
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.Settings
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
class AboutPageTest {
    private fun stage(library: LibraryState = SampleLibrary.state, selection: Selection? = null) =
        PageStage(RecordingStores(library, Settings(selection = selection)), ::AboutPage)

    /** The cards by their titles, each with its texts in order. */
    private fun PageStage.cards(): Map<String, List<String>> = children(R.id.sections).associate { card ->
        card.findViewById<TextView>(R.id.section_title).text.toString() to words(card.findViewById(R.id.section_body))
    }

    private fun facts(words: List<String>, vararg expected: Pair<String, String>) {
        for ((label, value) in expected) {
            assertTrue("$label in $words", label in words)
            assertEquals(value, words[words.indexOf(label) + 1])
        }
    }

    @Test
    fun `the manifest of the tuned model is shown as facts`() {
        val stage = stage()
        assertEquals("Pocket Science", stage.text(R.id.about_name))
        assertEquals(SampleLibrary.manifest.description, stage.text(R.id.about_description))
        val cards = stage.cards()
        facts(
            cards.getValue("Model"),
            "Base model" to "PocketGemma demo",
            "Parameters" to "1.6 million (1,560,064)",
            "Weights" to "int8 (8 bits per weight)",
            "File size" to "2.7 MB",
            "Runtime" to "LiteRT-LM 0.18.1",
            "Created" to "2026-11-22",
            "Source" to "Included with the app",
        )
        facts(
            cards.getValue("Fine-tuning"),
            "Training data" to "science",
            "Examples" to "7,170",
            "Epochs" to "3",
            "Method" to "LoRA",
            "Rank" to "8",
            "Alpha" to "8",
            "Target matrices" to "query, key, value, output, gate, up, down",
        )
        facts(
            cards.getValue("Evaluation"),
            "Exact match" to "96.8%",
            "95% confidence interval" to "94.5% to 98.1%",
            "Test questions" to "400",
        )
        facts(
            cards.getValue("SHA-256 checksums"),
            "Model" to SampleLibrary.tuned.id,
            "Training data" to requireNotNull(SampleLibrary.manifest.facts.dataSha256),
        )
        assertTrue(SampleLibrary.manifest.facts.licence in cards.getValue("Licenses"))
        assertFalse("Adapter in use" in cards)
    }

    @Test
    fun `what the manifest does not say is left out`() {
        val bare = SampleLibrary.tuned.copy(manifest = ModelManifest("Pocket Science"))
        val cards = stage(SampleLibrary.state.copy(models = listOf(bare))).cards()
        assertEquals(listOf("Model", "SHA-256 checksums", "Privacy", "Licenses", "This app"), cards.keys.toList())
        assertEquals(listOf("File size", "2.7 MB", "Source", "Included with the app"), cards.getValue("Model"))
    }

    @Test
    fun `an imported model and its adapter are described by their files`() {
        val stage = stage(selection = Selection(SampleLibrary.large.id, SampleLibrary.poet.id))
        assertEquals("Gemma 3 270M with Poet", stage.text(R.id.about_name))
        assertEquals(stage.string(R.string.about_unknown), stage.text(R.id.about_description))
        val cards = stage.cards()
        facts(cards.getValue("Model"), "File size" to "281 MB", "Supported adapter rank" to "16")
        facts(cards.getValue("Adapter in use"), "Name" to "Poet", "Rank" to "16", "File size" to "3.1 MB", "Source" to "Imported")
        facts(
            cards.getValue("SHA-256 checksums"),
            "Model" to SampleLibrary.large.id,
            "Adapter" to SampleLibrary.poet.id,
            "Base model for adapters" to "base-1",
        )
    }

    @Test
    fun `accuracy is shown only for the adapter that it was measured with`() {
        val model = SampleLibrary.large.copy(manifest = SampleLibrary.manifest)
        val tuned = Selection(model.id, SampleLibrary.clerk.id)
        val library = SampleLibrary.state.copy(models = listOf(model), tuned = tuned, base = Selection(model.id))
        assertTrue("Evaluation" in stage(library, tuned).cards())
        val alone = stage(library, Selection(model.id))
        assertEquals("Gemma 3 270M (before fine-tuning)", alone.text(R.id.about_name))
        assertFalse("Evaluation" in alone.cards())
        assertEquals(
            listOf("Training details and accuracy are recorded for Gemma 3 270M with Clerk, not for the model that you selected."),
            alone.cards().getValue("Fine-tuning"),
        )
    }

    @Test
    fun `the base is described as the base`() {
        val stage = stage(selection = Selection(SampleLibrary.base.id))
        assertEquals(stage.string(R.string.about_is_base), stage.text(R.id.about_description))
        assertFalse("Evaluation" in stage.cards())
    }

    @Test
    fun `without a model there are still privacy and licenses`() {
        val stage = stage(LibraryState(loaded = true))
        assertEquals("No model", stage.text(R.id.about_name))
        assertEquals(listOf("Privacy", "Licenses", "This app"), stage.cards().keys.toList())
    }

    @Test
    fun `Gemma's terms are listed with the licenses`() {
        val facts = SampleLibrary.manifest.facts.copy(terms = "Gemma is provided under and subject to the Gemma Terms of Use.")
        val model = SampleLibrary.tuned.copy(manifest = SampleLibrary.manifest.copy(facts = facts))
        assertTrue(facts.terms in stage(SampleLibrary.state.copy(models = listOf(model))).cards().getValue("Licenses"))
    }

    @Test
    fun `both licenses can be read in full`() {
        val stage = stage()
        for ((button, truncated) in listOf(
            R.string.software_read_apache to "Apache License",
            R.string.software_read_bsd to "Copyright (c) 2015, Atlassian Pty Ltd",
        )) {
            stage.click(found(stage.page.view, stage.string(button)))
            val text = (ShadowAlertDialog.getLatestAlertDialog() as AlertDialog).findViewById<TextView>(R.id.licence_text)
            val end = System.nanoTime() + 10_000_000_000
            while (text.text.isEmpty() && System.nanoTime() < end) {
                Thread.sleep(10)
                stage.settle()
            }
            assertTrue(text.text.toString().take(100), text.text.startsWith(truncated))
        }
    }

    private fun found(view: View, text: String): View = requireNotNull(find(view, text)) { text }

    private fun find(view: View, text: String): View? = when (view) {
        is TextView -> view.takeIf { it.text.toString() == text }
        is ViewGroup -> (0 until view.childCount).firstNotNullOfOrNull { find(view.getChildAt(it), text) }
        else -> null
    }

    @Test
    fun `another choice shows another model`() {
        val stage = stage()
        stage.stores.settings.become(stage.stores.settings.state.copy(settings = Settings(selection = Selection(SampleLibrary.large.id))))
        assertEquals("Gemma 3 270M", stage.text(R.id.about_name))
    }

    @Test
    fun pictures() = shootAll("about") { stage() }
}
