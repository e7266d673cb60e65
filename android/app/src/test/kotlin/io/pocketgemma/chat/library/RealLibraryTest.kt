package io.pocketgemma.chat.library

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.runtime.LiteRtLm
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Files from the pipeline, imported and opened by the real runtime. */
class RealLibraryTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val phone by lazy { TestPhone(folder.root) }
    private val base = TestModels.loraBase.readBytes()
    private val adapters = listOf(TestModels.adapterA, TestModels.adapterB).map { it.readBytes() }

    private fun models() = LibraryModelSource(phone.library(), { phone.memory }) { file, cache, options ->
        LiteRtLm.setLogLevel(LiteRtLm.LOG_NOTHING)
        LiteRtLm(file, cache, options)
    }

    private fun answer(model: String, adapter: String?, question: String): String = models().run {
        load(model, EngineOptions(threads = 1)) {}.use { opened ->
            opened.begin(ConversationConfig(sampling = Sampling(temperature = 0f, topK = 1), replyTokens = 16), adapter?.let { adapter(model, it) })
            var text = ""
            val end = opened.reply(question) { text += it }
            assertTrue("$end", end is ReplyEnd.Complete)
            text
        }
    }

    @Test
    fun `a model is imported, answers, and leaves nothing when it is removed`() {
        val id = phone.taken(TestModels.taught.readBytes(), "science.litertlm")
        assertEquals(TestModels.answer, answer(id, null, TestModels.question).trim())
        assertTrue(phone.cache.list()!!.any { it.startsWith("$id.litertlm") })
        phone.library().remove(id)
        assertEquals(emptyList<String>(), phone.files().filter { id in it })
    }

    @Test
    fun `a base is imported, then its adapters, and each changes what is answered`() {
        assertEquals(ModelProblem.TakesNoAdapters, phone.refusal(adapters[0]))
        val model = phone.taken(base, "base.litertlm")
        val ids = adapters.map { phone.taken(it, "some.tflite") }
        val library = phone.library()
        assertTrue(library.scan().adapters.all { it.fits(library.model(model)) })
        val answers = (listOf(null) + ids).map { answer(model, it, "What of silver?") }
        assertEquals(answers.toString(), 3, answers.toSet().size)
    }

    @Test
    fun `one changed or missing byte anywhere, and the file is refused`() {
        phone.taken(base)
        for (content in listOf(TestModels.taught.readBytes(), adapters[0])) {
            for (place in listOf(content.size / 3, content.size / 2)) {
                val changed = content.clone().also { it[place] = (it[place] + 1).toByte() }
                assertEquals(ModelProblem.Damaged, phone.refusal(changed))
            }
            assertEquals(ModelProblem.Damaged, phone.refusal(content.copyOf(content.size - 1)))
        }
        assertFalse(phone.files().any { "adapters" in it })
    }
}
