package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.ModelManifest.Adapter
import io.pocketgemma.chat.model.ModelManifest.BaseModel
import io.pocketgemma.chat.model.ModelManifest.Facts
import java.lang.reflect.Modifier
import java.math.BigDecimal
import kotlin.reflect.KProperty1
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Test

/** The names and the manifest that the pipeline writes (tests/tools/golden_contract.py) are those that the app reads. */
class AppContractTest {
    private val contract = JSONObject(requireNotNull(javaClass.getResource("/golden/app_contract.json")) { "no contract" }.readText())
    private val full = contract.getJSONObject("manifest")
    private val minimal = contract.getJSONObject("minimal_manifest")

    /** Each property of the manifest's classes, and the path of its value in the document. */
    private val root: Map<KProperty1<ModelManifest, *>, String> = mapOf(
        ModelManifest::name to "name",
        ModelManifest::description to "description",
        ModelManifest::bytes to "model.bytes",
        ModelManifest::sha256 to "model.sha256",
        ModelManifest::memoryBytes to "model.memory_bytes",
        ModelManifest::adapterRank to "model.adapter_rank",
        ModelManifest::baseDigest to "model.base_digest",
        ModelManifest::remembersConversation to "remembers_conversation",
    )
    private val facts: Map<KProperty1<Facts, *>, String> = mapOf(
        Facts::base to "base.name",
        Facts::parameters to "base.parameters",
        Facts::data to "data.name",
        Facts::dataSha256 to "data.sha256",
        Facts::examples to "data.examples",
        Facts::method to "tuning.method",
        Facts::rank to "tuning.rank",
        Facts::alpha to "tuning.alpha",
        Facts::targets to "tuning.targets[]",
        Facts::epochs to "tuning.epochs",
        Facts::quantization to "quantization",
        Facts::accuracy to "check.accuracy",
        Facts::accuracyLow to "check.accuracy_low",
        Facts::accuracyHigh to "check.accuracy_high",
        Facts::questions to "check.questions",
        Facts::runtime to "runtime",
        Facts::made to "made",
        Facts::licence to "licence",
        Facts::terms to "terms",
    )
    private val baseModel: Map<KProperty1<BaseModel, *>, String> = mapOf(
        BaseModel::sha256 to "base_model.sha256",
        BaseModel::bytes to "base_model.bytes",
        BaseModel::memoryBytes to "base_model.memory_bytes",
    )
    private val adapter: Map<KProperty1<Adapter, *>, String> = mapOf(
        Adapter::sha256 to "adapters[].sha256",
        Adapter::name to "adapters[].name",
        Adapter::bytes to "adapters[].bytes",
        Adapter::rank to "adapters[].rank",
        Adapter::baseDigest to "adapters[].base_digest",
    )

    /** The app shows any format as far as it can, and the base of a merged model supports no adapters. */
    private val unread = setOf("format", "base_model.adapter_rank", "base_model.base_digest")

    @Test
    fun `every value of a full manifest is read from its own path`() {
        assertEquals(values(full).filterKeys { it !in unread }, parsed(full))
    }

    @Test
    fun `a manifest of required keys leaves everything else at its default`() {
        val defaults = parsed(ModelManifest("")).filterKeys { it !in values(minimal) }
        assertEquals(values(minimal).filterKeys { it !in unread } + defaults, parsed(minimal))
    }

    @Test
    fun `no key of a full manifest is left unread, and none is read that is not written`() {
        val read = root.values + facts.values + baseModel.values + adapter.values
        assertEquals(values(full).keys.sorted(), (read + unread).sorted())
    }

    @Test
    fun `every property of the app's manifest is compared`() {
        val containers = setOf("facts", "baseModel", "adapters")
        assertEquals(properties(ModelManifest::class.java) - containers, names(root))
        assertEquals(properties(Facts::class.java), names(facts))
        assertEquals(properties(BaseModel::class.java), names(baseModel))
        assertEquals(properties(Adapter::class.java), names(adapter))
    }

    @Test
    fun `assets have the names under which they are packed`() {
        val assets = contract.getJSONObject("assets")
        val names = mapOf(
            "model" to AppAssets.MODEL,
            "base" to AppAssets.BASE,
            "adapters_folder" to AppAssets.ADAPTERS_FOLDER,
            "adapter" to AppAssets.adapter(full.getJSONArray("adapters").getJSONObject(0).getString("sha256")),
            "manifest" to AppAssets.MANIFEST,
            "questions" to AppAssets.QUESTIONS,
        )
        assertEquals(assets.toMap(), names.mapValues { (_, name) -> "assets/$name" })
    }

    @Test
    fun `pushed files have the names under which they are pushed`() {
        assertEquals(contract.getJSONObject("pushed").toMap(), mapOf("model" to PushedFiles.MODEL, "base" to PushedFiles.BASE))
    }

    private fun parsed(document: JSONObject) = parsed(ModelManifest.parse(document.toString(), "fallback"))

    /** The values that the app has read, by the paths above; a path with [] has a value for each element. */
    private fun parsed(manifest: ModelManifest): Map<String, List<Any?>> {
        fun all(value: Any?) = (value as? List<*> ?: listOfNotNull(value)).map(::comparable)
        return root.entries.associate { (property, path) -> path to all(property.get(manifest)) } +
            facts.entries.associate { (property, path) -> path to all(property.get(manifest.facts)) } +
            baseModel.entries.associate { (property, path) -> path to all(manifest.baseModel?.let(property::get)) } +
            adapter.entries.associate { (property, path) -> path to manifest.adapters.map { comparable(property.get(it)) } }
    }

    /** The leaves of a document by path: "base.name", "tuning.targets[]", "adapters[].name". */
    private fun values(document: Any, path: String = ""): Map<String, List<Any?>> {
        val found = LinkedHashMap<String, List<Any?>>()
        fun add(more: Map<String, List<Any?>>) = more.forEach { (key, value) -> found[key] = found[key].orEmpty() + value }
        when (document) {
            is JSONObject -> document.keys().forEach { add(values(document.get(it), if (path.isEmpty()) it else "$path.$it")) }
            is JSONArray -> document.forEach { add(values(it, "$path[]")) }
            else -> add(mapOf(path to listOf(comparable(document))))
        }
        return found
    }

    /** Numbers by value: JSON has one kind of them, Kotlin several. */
    private fun comparable(value: Any?): Any? = if (value is Number) BigDecimal(value.toString()).stripTrailingZeros() else value

    private fun properties(type: Class<*>) = type.declaredFields.filterNot { Modifier.isStatic(it.modifiers) }.map { it.name }.toSet()

    private fun names(properties: Map<out KProperty1<*, *>, String>) = properties.keys.map { it.name }.toSet()
}
