package io.pocketgemma.chat.journey

import android.view.View
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import java.io.ByteArrayInputStream
import java.io.File
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment

/** Models and adapters are imported through the file picker, reply, and are deleted. */
class ModelsJourneyTest : JourneyTest() {
    private val loraBase = File(TestModels.property("loraBase"))
    private val adapters = mapOf("A" to File(TestModels.property("adapterA")), "B" to File(TestModels.property("adapterB")))
    private val expected = JSONObject(File(TestModels.property("adapterAnswers")).readText())
    private val question = expected.getJSONArray("questions").getString(0)

    private fun answer(who: String) = expected.getJSONObject("answers").getJSONArray(who).getString(0)

    private fun Phone.names(): List<String> = every<TextView>(R.id.entry_name).map { it.text.toString() }

    private fun Phone.rowOf(name: String): View =
        generateSequence<View>(every<TextView>(R.id.entry_name).first { it.text.toString() == name }) { it.parent as? View }
            .first { it.findViewById<View>(R.id.entry_mark) != null && it.hasOnClickListeners() }

    private fun Phone.choose(who: String) {
        tap(R.id.who)
        until("the choice is shown") { isShown(R.id.choices) }
        val row = every<TextView>(R.id.choice_name).first { it.text.toString() == who }
        tap(generateSequence<View>(row) { it.parent as? View }.first { it.hasOnClickListeners() })
    }

    @Test
    fun `an adapter is changed inside a conversation, and each answers as its merged model`() = journey {
        untilReady()
        importFile(this, loraBase, "small base.litertlm")
        for ((name, file) in adapters) importFile(this, file, "$name.tflite", use = false)
        val names = names()
        assertTrue("$names", names.containsAll(listOf("A", "B")))
        close(R.id.models_page)
        // The file of the test base specifies no sampling: greedy.
        open(R.string.page_settings, R.id.settings_page)
        tap(R.id.set_sampling)
        slide(R.id.set_temperature, 0.0)
        close(R.id.settings_page)
        val base = names.first { it !in listOf("A", "B") && it.contains("base", ignoreCase = true) }
        val order = listOf("A", "B", base, "A")
        for (who in order) {
            startAnew()
            choose(who)
            ask(question)
            untilReplied()
            val reply = every<View>(R.id.reply_body).lastOrNull()?.let { words(it).joinToString(" ") }.orEmpty()
            val wanted = answer(if (who == base) "base" else who)
            assertTrue("$who said \"$reply\", its merged model says \"$wanted\"", wanted.isNotEmpty() && reply.startsWith(wanted))
        }
        // Within one conversation: a change of the model is shown.
        choose("B")
        ask(question)
        untilReplied()
        assertTrue("${words()}", words().any { it.contains("B") && it.startsWith(say(R.string.now_answering, "").trim()) })
    }

    @Test
    fun `files that are no good are refused with a sentence, and harm nothing`() = journey {
        untilReady()
        open(R.string.page_models, R.id.models_page)
        val others = OtherApps(this)
        val model = TestModels.taught.readBytes()
        val cases = mapOf(
            "notes.txt" to "Dear diary".toByteArray(),
            "cut.litertlm" to model.copyOf(model.size / 2),
            "noise.litertlm" to ByteArray(300_000) { (it * 31).toByte() },
            "../../../../databases/conversations.db" to "SQLite format 3\u0000".toByteArray() + ByteArray(5000),
            "orphan.tflite" to adapters.getValue("A").readBytes(),
            "empty.litertlm" to ByteArray(0),
        )
        val before = names()
        for ((name, content) in cases) {
            tap(R.id.import_file)
            others.pick(name, content.size.toLong()) { ByteArrayInputStream(content) }
            until("$name is refused") { isShown(R.id.refused_text) && text(R.id.refused_text).isNotBlank() }
            assertFalse(text(R.id.refused_text), text(R.id.refused_text).contains("Exception"))
            assertEquals(before, names())
            tap(R.id.refused_close)
            until("the sentence is gone") { !isShown(R.id.refused_text) }
        }
        close(R.id.models_page)
        askTaught()
    }

    @Test
    fun `a name cannot lead out of the app's folder, and what was imported can be removed`() = journey {
        untilReady()
        open(R.string.page_models, R.id.models_page)
        val root = File(RuntimeEnvironment.getApplication().applicationInfo.dataDir)
        fun outside() = root.walk().filter { it.isFile && !it.path.contains("no_backup") && it.name.contains("evil") }.toList()
        tap(R.id.import_file)
        OtherApps(this).pick("../../evil/../../evil.litertlm", null) { TestModels.endless.inputStream() }
        until("it is here") { names().any { it.contains("evil") } }
        assertEquals(emptyList<File>(), outside())
        assertTrue(names().none { it.contains("/") })
        val name = names().first { it.contains("evil") }
        val remove = every<View>(R.id.entry_remove).single { it.isShown }
        assertTrue("${remove.contentDescription}", remove.contentDescription.contains(name))
        tap(remove)
        tap(say(R.string.remove_confirm))
        until("it is gone") { names().none { it.contains("evil") } }
        assertEquals(emptyList<File>(), root.walk().filter { it.isFile && it.length() == TestModels.endless.length() && it.readBytes().contentEquals(TestModels.endless.readBytes()) }.toList())
    }

    @Test
    fun `the model that answers is remembered`() = journey {
        untilReady()
        importFile(this, TestModels.endless, "Endless one.litertlm")
        close(R.id.models_page)
        until("it is in use") { text(R.id.status).contains("Endless one") || text(R.id.title).contains("Endless one") }
        die()
        until("it still is") { text(R.id.status).contains("Endless one") || text(R.id.title).contains("Endless one") }
    }

    @Test
    fun `a model too large for the memory is asked about before it is loaded`() = journey {
        untilReady()
        setFreeMemory(30L shl 20)
        importFile(this, TestModels.endless, "big.litertlm")
        close(R.id.models_page)
        until("the question is put") { isShown(R.id.problem_text) }
        assertTrue(text(R.id.problem_text), text(R.id.problem_text).contains("MB"))
        tap(R.id.load_anyway)
        until("it is loaded") { !isShown(R.id.problem_text) && text(R.id.status).contains(say(R.string.model_ready)) }
    }

    @Test
    fun `before and after are asked the same question`() = journey {
        untilReady()
        open(R.string.page_compare, R.id.compare_page)
        until("both are known") { isShown(R.id.before_who) && isShown(R.id.after_who) }
        type(R.id.compare_input, TestModels.question)
        until("they can be asked") { find<View>(R.id.compare_ask).isEnabled }
        tap(R.id.compare_ask)
        until("both have answered") {
            find<View>(R.id.compare_ask).contentDescription == say(R.string.compare_ask) && isShown(R.id.before_text) && isShown(R.id.after_text)
        }
        val answers = listOf(R.id.before_text, R.id.after_text).map { words(find<View>(it)).joinToString(" ") }
        assertEquals(TestModels.answer, answers[1])
        assertNotEquals(TestModels.answer, answers[0])
        assertTrue("the base says \"${answers[0]}\"", answers[0].isNotBlank())
        tap(R.id.compare_share)
        val shared = OtherApps(this).shared()
        assertTrue(shared, answers.all(shared::contains) && shared.contains(TestModels.question))
    }
}
