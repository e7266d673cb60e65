package io.pocketgemma.chat.storage

import io.pocketgemma.chat.model.ModelProblem
import org.json.JSONException
import org.json.JSONObject

/** A problem as text, so that the reply that it prevented can still show the reason after it is loaded. */
internal fun ModelProblem.toRecord(): String = when (this) {
    is ModelProblem.Missing -> record("missing", "path" to expectedPath)
    ModelProblem.Damaged -> record("damaged")
    is ModelProblem.NoSpace -> record("no space", "needed" to neededBytes)
    is ModelProblem.TooLarge -> record("too large", "needed" to neededBytes, "free" to freeBytes, "try_anyway" to tryAnyway)
    is ModelProblem.WrongKind -> record("wrong kind", "found" to found)
    ModelProblem.OtherBase -> record("other base")
    ModelProblem.TakesNoAdapters -> record("takes no adapters")
    is ModelProblem.Unreadable -> record("unreadable", "detail" to detail)
    is ModelProblem.Unusable -> record("unusable", "detail" to detail)
}.toString()

/** Parses the result of [toRecord]; any other text is an unusable model with the text as the reason. */
internal fun recordedProblem(record: String): ModelProblem {
    val fields = try {
        JSONObject(record)
    } catch (_: JSONException) {
        return ModelProblem.Unusable(record)
    }
    return when (fields.optString("kind")) {
        "missing" -> ModelProblem.Missing(fields.optString("path"))
        "damaged" -> ModelProblem.Damaged
        "no space" -> ModelProblem.NoSpace(fields.optLong("needed"))
        "too large" ->
            ModelProblem.TooLarge(fields.optLong("needed"), fields.optLong("free"), fields.optBoolean("try_anyway"))
        "wrong kind" -> ModelProblem.WrongKind(fields.opt("found") as? String)
        "other base" -> ModelProblem.OtherBase
        "takes no adapters" -> ModelProblem.TakesNoAdapters
        "unreadable" -> ModelProblem.Unreadable(fields.optString("detail"))
        "unusable" -> ModelProblem.Unusable(fields.optString("detail"))
        else -> ModelProblem.Unusable(record)
    }
}

private fun record(kind: String, vararg fields: Pair<String, Any?>) = JSONObject().apply {
    put("kind", kind)
    fields.forEach { (name, value) -> put(name, value) }
}
