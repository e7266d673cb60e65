package io.pocketgemma.chat.model

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * The content of assets/manifest.json about the model. Only [name] is required; everything else may be missing or have a wrong type, so
 * that the manifest of an older or newer pipeline never stops the app.
 */
data class ModelManifest(
    val name: String,
    val description: String? = null,
    /** Length of the model file in bytes. */
    val bytes: Long? = null,
    /** Hexadecimal SHA-256 of the model file. */
    val sha256: String? = null,
    /** False if the model was trained on single questions only: each question then starts its own conversation. */
    val remembersConversation: Boolean = true,
    val facts: Facts = Facts(),
    /** Memory in bytes that the open model needs, as calculated by the pipeline. */
    val memoryBytes: Long? = null,
    /** Rank of the adapters that the model supports; null: it supports none, and is the tuned model itself. */
    val adapterRank: Int? = null,
    /** Identifies the base that such adapters must be trained on. */
    val baseDigest: String? = null,
    /** The base of a model without adapter support, included for before / after. */
    val baseModel: BaseModel? = null,
    val adapters: List<Adapter> = emptyList(),
) {
    /** The file assets/base.litertlm. */
    data class BaseModel(val sha256: String, val bytes: Long? = null, val memoryBytes: Long? = null)

    /** The file assets/adapters/[sha256].tflite. */
    data class Adapter(val sha256: String, val name: String, val bytes: Long?, val rank: Int, val baseDigest: String)

    /** The facts on the page "About this model". */
    data class Facts(
        val base: String? = null,
        val parameters: Long? = null,
        /** Name of the training data file, and its SHA-256. */
        val data: String? = null,
        val dataSha256: String? = null,
        val examples: Int? = null,
        val method: String? = null,
        val rank: Int? = null,
        val alpha: Double? = null,
        val targets: List<String> = emptyList(),
        val epochs: Double? = null,
        val quantization: String? = null,
        /** Exact match of the converted model on the test questions, 0 to 1. */
        val accuracy: Double? = null,
        /** Bounds of the 95% confidence interval. */
        val accuracyLow: Double? = null,
        val accuracyHigh: Double? = null,
        val questions: Int? = null,
        val runtime: String? = null,
        val made: String? = null,
        val licence: String? = null,
        /** The license terms of the base, in a sentence. */
        val terms: String? = null,
    )

    companion object {
        /** Parses a manifest; text that is not a JSON object gives a manifest without facts, named [fallbackName]. */
        fun parse(text: String, fallbackName: String): ModelManifest {
            val root = try {
                JSONObject(text)
            } catch (_: JSONException) {
                return ModelManifest(fallbackName)
            }
            val model = root.objectAt("model")
            return ModelManifest(
                name = root.text("name") ?: fallbackName,
                description = root.text("description"),
                bytes = model.size("bytes"),
                sha256 = model.digest("sha256"),
                remembersConversation = root.optBoolean("remembers_conversation", true),
                facts = facts(root),
                memoryBytes = model.size("memory_bytes"),
                adapterRank = model.count("adapter_rank"),
                baseDigest = model.digest("base_digest"),
                baseModel = root.objectAt("base_model").let { base ->
                    base.digest("sha256")?.let { BaseModel(it, base.size("bytes"), base.size("memory_bytes")) }
                },
                adapters = root.optJSONArray("adapters").objects().mapNotNull(::adapter),
            )
        }

        private fun adapter(entry: JSONObject): Adapter? {
            val sha256 = entry.digest("sha256") ?: return null
            return Adapter(
                sha256 = sha256,
                name = entry.text("name") ?: sha256.take(DIGEST_START),
                bytes = entry.size("bytes"),
                rank = entry.count("rank") ?: return null,
                baseDigest = entry.digest("base_digest") ?: return null,
            )
        }

        private fun facts(root: JSONObject): Facts {
            val base = root.objectAt("base")
            val data = root.objectAt("data")
            val tuning = root.objectAt("tuning")
            val check = root.objectAt("check")
            return Facts(
                base = base.text("name"),
                parameters = base.number("parameters")?.toLong(),
                data = data.text("name"),
                dataSha256 = data.text("sha256"),
                // Format 1 counted them under "tuning".
                examples = data.count("examples") ?: tuning.count("examples"),
                method = tuning.text("method"),
                rank = tuning.count("rank"),
                alpha = tuning.number("alpha"),
                targets = tuning.optJSONArray("targets").texts(),
                epochs = tuning.number("epochs"),
                quantization = root.text("quantization"),
                accuracy = check.number("accuracy"),
                accuracyLow = check.number("accuracy_low"),
                accuracyHigh = check.number("accuracy_high"),
                questions = check.count("questions"),
                runtime = root.text("runtime"),
                made = root.text("made"),
                licence = root.text("licence"),
                terms = root.text("terms"),
            )
        }

        /** assets/questions.json: a list of sample questions. Any other content gives none. */
        fun parseQuestions(text: String): List<String> = try {
            JSONArray(text).texts()
        } catch (_: JSONException) {
            emptyList()
        }

        private fun JSONObject.objectAt(key: String): JSONObject = optJSONObject(key) ?: JSONObject()

        private fun JSONObject.text(key: String): String? = (opt(key) as? String)?.takeIf { it.isNotBlank() }

        /** A SHA-256 becomes part of a file name, so nothing else is accepted. */
        private fun JSONObject.digest(key: String): String? = text(key)?.lowercase()?.takeIf(DIGEST::matches)

        private fun JSONObject.number(key: String): Double? = (opt(key) as? Number)?.toDouble()

        private fun JSONObject.count(key: String): Int? = number(key)?.toInt()

        private fun JSONObject.size(key: String): Long? = number(key)?.toLong()

        private fun JSONArray?.texts(): List<String> = if (this == null) emptyList() else (0 until length()).mapNotNull { opt(it) as? String }

        private fun JSONArray?.objects(): List<JSONObject> =
            if (this == null) emptyList() else (0 until length()).mapNotNull { opt(it) as? JSONObject }

        private val DIGEST = Regex("[0-9a-f]{64}")
        private const val DIGEST_START = 8
    }
}
