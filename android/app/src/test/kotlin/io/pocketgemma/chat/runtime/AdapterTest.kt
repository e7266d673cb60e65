package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Adapters at run time: a base with one replies like the model that it was merged into, in any order, in one open engine. */
class AdapterTest : RuntimeTest() {
    private val files = mapOf("base" to null, "A" to TestModels.adapterA, "B" to TestModels.adapterB)

    private fun LiteRtLm.answers(adapter: File?): List<String> = TestModels.adapterQuestions.map { question ->
        begin(ConversationConfig(sampling = greedy, replyTokens = TestModels.adapterTokens), adapter)
        ask(question).first
    }

    @Test
    fun `each answers as its merged model, and none as the base, in any order`() = open(TestModels.loraBase).use { model ->
        assertEquals(3, files.keys.map { TestModels.adapterAnswers(it) }.toSet().size)
        for (who in listOf("base", "A", "base", "B", "A", "B", "base", "base", "A")) {
            assertEquals(who, TestModels.adapterAnswers(who), model.answers(files[who]))
        }
    }

    @Test
    fun `a conversation keeps its adapter over all its turns`() = open(TestModels.loraBase).use { model ->
        fun turns(adapter: File?): List<String> {
            model.begin(ConversationConfig(sampling = greedy, replyTokens = 8), adapter)
            return TestModels.adapterQuestions.map { model.ask(it).first }
        }
        val first = files.values.map(::turns)
        assertEquals(3, first.toSet().size)
        assertEquals(first, files.values.map(::turns))
    }

    @Test
    fun `none is written where it is missing, and not twice`() {
        val none = EmptyAdapter.file(folder.root)
        assertEquals(0L, none.length() % (64 * 1024))
        val written = none.lastModified()
        assertEquals(written, EmptyAdapter.file(folder.root).lastModified())
        none.writeBytes(ByteArray(10))
        assertEquals(64L * 1024, EmptyAdapter.file(folder.root).length())
        open(TestModels.loraBase).use { model ->
            assertEquals(TestModels.adapterAnswers("A"), model.answers(files["A"]))
            assertEquals(TestModels.adapterAnswers("base"), model.answers(none))
            // The system may empty a cache folder at any time.
            File(cache, none.name).delete()
            assertEquals(TestModels.adapterAnswers("base"), model.answers(null))
        }
    }

    @Test
    fun `what is no adapter is refused, and neither the base nor another adapter is disturbed`() = open(TestModels.loraBase).use { model ->
        val whole = TestModels.adapterA.readBytes()
        val noise = ByteArray(70_000) { (it * 7).toByte() }
        val broken = mapOf("cut" to whole.copyOf(whole.size / 2), "noise" to noise, "empty" to ByteArray(0))
        for ((name, content) in broken) {
            val file = folder.newFile("$name.tflite").apply { writeBytes(content) }
            val end = try {
                model.begin(ConversationConfig(), file)
                model.ask("What?").second
            } catch (error: ModelException) {
                ReplyEnd.NoModel(error.problem)
            }
            assertTrue("$name: $end", end is ReplyEnd.Failed || end is ReplyEnd.NoModel)
            assertEquals(name, TestModels.adapterAnswers("base"), model.answers(null))
            assertEquals(name, TestModels.adapterAnswers("B"), model.answers(files["B"]))
        }
    }

    @Test
    fun `a missing adapter is reported at the start`() = open(TestModels.loraBase).use { model ->
        val problem = assertThrows(ModelException::class.java) { model.begin(ConversationConfig(), File("/nowhere.tflite")) }.problem
        assertTrue("$problem", "nowhere" in (problem as ModelProblem.Unusable).detail)
        assertEquals(TestModels.adapterAnswers("base"), model.answers(null))
    }

    @Test
    fun `a conversation that was never asked leaves nothing behind`() = open(TestModels.loraBase).use { model ->
        assertEquals(TestModels.adapterAnswers("A"), model.answers(files["A"]))
        for (who in listOf("B", "base", "A", "base")) {
            model.begin(ConversationConfig(), files["B"])
            model.begin(ConversationConfig(), null)
            assertEquals(who, TestModels.adapterAnswers(who), model.answers(files[who]))
        }
    }

    @Test
    fun `two hundred conversations with one adapter need no more memory than twenty`() = open(TestModels.loraBase).use { model ->
        assertFlat { model.answers(files["A"]) }
    }

    @Test
    fun `an engine that was given many adapters is recreated, so that memory does not grow`() {
        val large = listOf("A", "B").associateWith { who ->
            // Like the adapter of a large model: zeros after what is read.
            folder.newFile("$who.tflite").apply { writeBytes(files.getValue(who)!!.readBytes().copyOf(16 shl 20)) }
        }
        open(TestModels.loraBase).use { model ->
            repeat(8) {
                for ((who, file) in large) assertEquals(who, TestModels.adapterAnswers(who), model.answers(file))
                val mapped = File("/proc/self/maps").readLines().count { folder.root.path in it && it.endsWith(".tflite") }
                assertTrue("$mapped adapters are mapped", mapped in 1..6)
            }
            assertEquals(TestModels.adapterAnswers("base"), model.answers(null))
        }
    }

    private fun assertFlat(answer: () -> Unit) {
        var after20 = 0L
        for (turn in 1..200) {
            answer()
            if (turn % 10 == 0) System.gc()
            if (turn == 20) after20 = requireNotNull(residentBytes())
        }
        val after200 = requireNotNull(residentBytes())
        assertTrue("$after20 bytes after 20 turns, $after200 after 200", after200 - after20 < SMALL_BYTES)
    }

    @Test
    fun `the empty adapter is passed only to a model that supports adapters`() {
        assertEquals(true, EmptyAdapter.isNeeded(TestModels.loraBase))
        assertEquals(false, EmptyAdapter.isNeeded(TestModels.taught))
        assertEquals(false, EmptyAdapter.isNeeded(folder.newFile("short").apply { writeBytes(ByteArray(20)) }))
        assertEquals(false, EmptyAdapter.isNeeded(File("/nowhere")))
    }
}
