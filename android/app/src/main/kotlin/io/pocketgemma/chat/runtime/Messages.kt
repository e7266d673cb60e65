package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** The runtime's messages, in JSON. */
internal object Messages {
    /** UTF-8 of a list: a system turn, if there is a system prompt, and the history; null if both are empty. */
    fun list(systemPrompt: String, turns: List<Turn>): ByteArray? {
        val messages = JSONArray()
        if (systemPrompt.isNotEmpty()) messages.put(message("system", systemPrompt))
        turns.forEach { messages.put(message(it)) }
        return if (messages.length() == 0) null else messages.toString().toByteArray()
    }

    /** UTF-8 of a user turn. */
    fun question(text: String): ByteArray = message("user", text).toString().toByteArray()

    /** The text in a chunk, which is a message; any other chunk is returned unchanged. */
    fun textOf(chunk: String): String = try {
        when (val content = JSONObject(chunk).opt("content")) {
            is JSONArray -> (0 until content.length()).joinToString("") { content.optJSONObject(it)?.optString("text").orEmpty() }
            is String -> content
            else -> ""
        }
    } catch (_: JSONException) {
        chunk
    }

    private fun message(turn: Turn) = message(if (turn.role == Role.USER) "user" else "assistant", turn.text)

    private fun message(role: String, text: String) = JSONObject()
        .put("role", role)
        .put("content", JSONArray().put(JSONObject().put("type", "text").put("text", text)))
}
