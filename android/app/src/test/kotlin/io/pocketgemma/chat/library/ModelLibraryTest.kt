package io.pocketgemma.chat.library

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Selection
import java.io.File
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

internal fun problemOf(action: () -> Unit): ModelProblem = assertThrows(ModelException::class.java) { action() }.problem

class ModelLibraryTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val phone by lazy { TestPhone(folder.root) }
    private val model = TestFiles.model()
    private val id = TestModels.sha256(model)
    private val base = TestFiles.base(rank = 32)
    private val baseId = TestModels.sha256(base)
    private val adapter = TestFiles.adapter(rank = 32)
    private val adapterId = TestModels.sha256(adapter)

    private object Opened : LanguageModel {
        override val backend = Backend.CPU
        override val contextTokens: Int? = null

        override fun begin(config: ConversationConfig, adapter: File?) = Unit

        override fun reply(question: String, onText: (String) -> Unit): ReplyEnd = ReplyEnd.Complete(null)

        override fun countTokens(text: String) = 0

        override fun cancel() = Unit

        override fun close() = Unit
    }

    private fun bundleMerged() {
        phone.bundle(
            model,
            """{"name": "Science", "model": {"bytes": ${model.size}, "sha256": "$id", "memory_bytes": 1000},
                "base_model": {"bytes": ${base.size}, "sha256": "$baseId"}, "base": {"name": "Gemma 3"}}""",
        )
        phone.assets["base.litertlm"] = base
        phone.assets["questions.json"] = """["What is Fe?"]""".toByteArray()
    }

    private fun bundleRuntime() {
        phone.bundle(
            base,
            """{"name": "Science",
                "model": {"bytes": ${base.size}, "sha256": "$baseId", "adapter_rank": 32, "base_digest": "${TestFiles.BASE}"},
                "adapters": [{"sha256": "$adapterId", "name": "Science", "bytes": ${adapter.size}, "rank": 32,
                              "base_digest": "${TestFiles.BASE}"}]}""",
        )
        phone.assets["adapters/$adapterId.tflite"] = adapter
    }

    private fun models(opened: MutableList<File> = mutableListOf()) = LibraryModelSource(phone.library(), { phone.memory }) { file, _, _ ->
        opened += file
        Opened
    }

    private fun load(model: String, options: EngineOptions = EngineOptions()) = models().load(model, options) {}

    @Test
    fun `a merged model and its base are tuned and base`() {
        bundleMerged()
        val seen = phone.library().scan()
        assertEquals(listOf("Science" to false, "Gemma 3" to true), seen.models.map { it.name to it.isBase })
        assertTrue(seen.models.all { it.origin == Origin.APP })
        assertEquals(Selection(id), seen.tuned)
        assertEquals(Selection(baseId), seen.base)
        assertEquals(listOf("What is Fe?"), seen.sampleQuestions)
    }

    @Test
    fun `a base with an adapter is tuned with it and base without`() {
        bundleRuntime()
        val seen = phone.library().scan()
        assertEquals(Selection(baseId, adapterId), seen.tuned)
        assertEquals(Selection(baseId), seen.base)
        val file = models().adapter(baseId, adapterId)
        assertArrayEquals(adapter, file.readBytes())
        assertTrue(file.startsWith(phone.own))
    }

    @Test
    fun `an app without a model reports where one is expected`() {
        val seen = phone.library().scan()
        assertEquals(emptyList<ModelEntry>(), seen.models)
        assertEquals(null, seen.tuned)
        assertEquals(ModelProblem.Missing(File(phone.pushed, "model.litertlm").path), problemOf { load("") })
    }

    @Test
    fun `a model beside the app is the one that was built, pushed or imported`() {
        phone.bundle(null, """{"name": "Science", "model": {"bytes": ${model.size}, "sha256": "$id"}}""")
        assertEquals(Selection(id), phone.library().scan().tuned)
        val pushed = File(phone.pushed, "model.litertlm")
        assertEquals(ModelProblem.Missing(pushed.path), problemOf { load(id) })
        pushed.writeBytes(base)
        assertEquals(ModelProblem.Damaged, problemOf { load(id) })
        pushed.writeBytes(model)
        val opened = mutableListOf<File>()
        models(opened).load(id, EngineOptions()) {}
        assertEquals(listOf(pushed), opened)
        pushed.delete()
        phone.taken(model, "downloaded.litertlm")
        val entry = phone.library().scan().models.single()
        assertEquals(listOf("Science", Origin.IMPORTED, "Science"), listOf(entry.name, entry.origin, entry.manifest?.name))
        load(id)
    }

    @Test
    fun `a pushed base that no manifest describes still takes adapters`() {
        File(phone.pushed, "model.litertlm").writeBytes(base)
        phone.taken(adapter, "poet.tflite")
        val seen = phone.library().scan()
        assertEquals(32, seen.models.single().adapterRank)
        assertTrue(seen.adapters.single().fits(seen.models.single()))
        assertEquals(seen.models.single().id, seen.tuned?.model)
        load(seen.models.single().id)
    }

    @Test
    fun `a model that came with the app is copied on its first use with progress, verified and kept`() {
        bundleMerged()
        val shares = mutableListOf<Double>()
        val opened = mutableListOf<File>()
        models(opened).load(id, EngineOptions()) { shares += it }
        models(opened).load(baseId, EngineOptions()) { shares += it }
        assertArrayEquals(model, opened[0].readBytes())
        assertArrayEquals(base, opened[1].readBytes())
        assertEquals(1.0, shares.last(), 0.0)
        shares.clear()
        models(opened).load(id, EngineOptions()) { shares += it }
        assertTrue(shares.isEmpty())
        phone.assets["model.litertlm"] = model.clone().also { it[30_000] = (it[30_000] + 1).toByte() }
        opened[0].delete()
        assertEquals(ModelProblem.Damaged, problemOf { load(id) })
    }

    @Test
    fun `a new version of the app drops the copies of the old one and what the runtime made of them`() {
        bundleMerged()
        load(id)
        File(phone.cache, "$id.litertlm_1_2.xnnpack_cache").writeText("x")
        bundleRuntime()
        phone.assets.remove("base.litertlm")
        load(baseId)
        assertEquals(listOf("own/bundled/$baseId.litertlm"), phone.files())
    }

    @Test
    fun `memory is asked before loading and before copying`() {
        phone.bundle(model, """{"name": "Science", "model": {"bytes": ${model.size}, "sha256": "$id", "memory_bytes": 1000000000}}""")
        phone.memory = Memory(total = 4_000_000_000, free = 900_000_000)
        assertEquals(ModelProblem.TooLarge(1_000_000_000, 900_000_000, tryAnyway = true), problemOf { load(id) })
        assertEquals(emptyList<String>(), phone.files())
        load(id, EngineOptions(ignoreLowMemory = true))
        phone.memory = Memory(total = 1_300_000_000, free = 900_000_000)
        val never = ModelProblem.TooLarge(1_000_000_000, 900_000_000, tryAnyway = false)
        assertEquals(never, problemOf { load(id, EngineOptions(ignoreLowMemory = true)) })
        phone.memory = Memory(total = 4_000_000_000, free = 1_000_000_000)
        load(id)
    }

    @Test
    fun `the estimate for a file that was not measured is near the measurements`() {
        // docs/measurements/memory.json: the shapes of Gemma 3 270M and 1B.
        for ((file, measured) in listOf(284_604_960L to 467_730_432L, 1_025_514_768L to 1_245_995_008L)) {
            assertEquals(1.0, MemoryRequirement.estimate(file).toDouble() / measured, 0.05)
        }
    }

    @Test
    fun `an adapter is given to a model that it fits only`() {
        bundleRuntime()
        val plain = phone.taken(model)
        val other = phone.taken(TestFiles.base(rank = 16, seed = 9))
        assertEquals(ModelProblem.TakesNoAdapters, problemOf { models().adapter(plain, adapterId) })
        assertEquals(ModelProblem.OtherBase, problemOf { models().adapter(other, adapterId) })
        assertTrue(problemOf { models().adapter(baseId, "../$adapterId") } is ModelProblem.Missing)
    }

    @Test
    fun `an asset of the manifest that is not in the app is not offered`() {
        bundleRuntime()
        phone.assets.remove("adapters/$adapterId.tflite")
        assertEquals(emptyList<AdapterEntry>(), phone.library().scan().adapters)
        assertEquals(Selection(baseId), phone.library().scan().tuned)
        assertEquals(null, phone.library().scan().base)
    }

    @Test
    fun `the app chooses at most four threads`() {
        assertEquals(7, EngineOptions(threads = 7).usedThreads)
        assertTrue(EngineOptions().usedThreads in 1..4)
    }
}
