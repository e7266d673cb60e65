package io.pocketgemma.chat.model

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * What assets/manifest.json says about the model. Only [name] is needed; everything else may be missing, so that an older or
 * newer pipeline's manifest never stops the app.
 */
data class ModelManifest(
    val name: String,
    val description: String? = null,
    /** Length of the model file in bytes. */
    val bytes: Long? = null,
    /** Hexadecimal sha256 of the model file. */
    val sha256: String? = null,
    /** False when the model was taught single questions only: each one then starts a conversation of its own. */
    val remembersConversation: Boolean = true,
    val facts: Facts = Facts(),
) {
    /** The rows of the "about this model" page. */
    data class Facts(
        val base: String? = null,
        val parameters: Long? = null,
        val examples: Int? = null,
        val method: String? = null,
        val rank: Int? = null,
        val alpha: Double? = null,
        val targets: List<String> = emptyList(),
        val quantization: String? = null,
        /** Share of test questions answered exactly right by the converted model, 0 to 1. */
        val accuracy: Double? = null,
        val questions: Int? = null,
        val runtime: String? = null,
        val made: String? = null,
        val licence: String? = null,
    )

    companion object {
        /** Reads a manifest; text that is not a JSON object gives one without facts, named [fallbackName]. */
        fun parse(text: String, fallbackName: String): ModelManifest {
            val root = try {
                JSONObject(text)
            } catch (_: JSONException) {
                return ModelManifest(fallbackName)
            }
            val model = root.optJSONObject("model") ?: JSONObject()
            return ModelManifest(
                name = root.text("name") ?: fallbackName,
                description = root.text("description"),
                bytes = model.number("bytes")?.toLong(),
                sha256 = model.text("sha256")?.lowercase(),
                remembersConversation = root.optBoolean("remembers_conversation", true),
                facts = facts(root),
            )
        }

        private fun facts(root: JSONObject): Facts {
            val base = root.optJSONObject("base") ?: JSONObject()
            val tuning = root.optJSONObject("tuning") ?: JSONObject()
            val check = root.optJSONObject("check") ?: JSONObject()
            return Facts(
                base = base.text("name"),
                parameters = base.number("parameters")?.toLong(),
                examples = tuning.number("examples")?.toInt(),
                method = tuning.text("method"),
                rank = tuning.number("rank")?.toInt(),
                alpha = tuning.number("alpha"),
                targets = tuning.optJSONArray("targets").texts(),
                quantization = root.text("quantization"),
                accuracy = check.number("accuracy"),
                questions = check.number("questions")?.toInt(),
                runtime = root.text("runtime"),
                made = root.text("made"),
                licence = root.text("licence"),
            )
        }

        /** assets/questions.json: a list of sample questions. Anything else gives none. */
        fun parseQuestions(text: String): List<String> = try {
            JSONArray(text).texts()
        } catch (_: JSONException) {
            emptyList()
        }

        private fun JSONObject.text(key: String): String? = (opt(key) as? String)?.takeIf { it.isNotBlank() }

        private fun JSONObject.number(key: String): Double? = (opt(key) as? Number)?.toDouble()

        private fun JSONArray?.texts(): List<String> =
            if (this == null) emptyList() else (0 until length()).mapNotNull { opt(it) as? String }
    }
}
