package io.pocketgemma.chat

import java.io.File
import java.security.MessageDigest
import org.json.JSONArray
import org.json.JSONObject

/** The models that the tests use, named by system properties (set by tests/targets/android/jvm.py). */
object TestModels {
    /** The converted demo model, or any other that replies [answer] to [question]. */
    val taught: File get() = file("model")
    val question: String get() = property("question")
    val answer: String get() = property("answer")

    /** A model with random weights that generates until its context is full. */
    val endless: File get() = file("endless")

    /** [taught] with a chat template that rejects a system turn. */
    val noSystem: File get() = file("noSystem")

    /** A base that supports adapters, and two of them. */
    val loraBase: File get() = file("loraBase")
    val adapterA: File get() = file("adapterA")
    val adapterB: File get() = file("adapterB")

    /** Questions to [loraBase], and the greedy replies to each of the base and of the models that the adapters were merged into. */
    val adapterQuestions: List<String> get() = adapterFacts.getJSONArray("questions").texts()
    val adapterTokens: Int get() = adapterFacts.getInt("tokens")

    /** @param who `base`, `A` or `B`. */
    fun adapterAnswers(who: String): List<String> = adapterFacts.getJSONObject("answers").getJSONArray(who).texts()

    private val adapterFacts: JSONObject by lazy { JSONObject(file("adapterAnswers").readText()) }

    private fun JSONArray.texts() = List(length()) { getString(it) }

    fun sha256(file: File): String = sha256(file.readBytes())

    fun sha256(bytes: ByteArray): String = MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

    fun property(name: String): String =
        requireNotNull(System.getProperty("pocketgemma.test.$name")) { "system property pocketgemma.test.$name is not set" }

    private fun file(name: String) = File(property(name)).also { require(it.isFile) { "$it: no such file" } }
}
