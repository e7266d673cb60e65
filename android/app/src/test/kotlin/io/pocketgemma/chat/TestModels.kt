package io.pocketgemma.chat

import java.io.File
import java.security.MessageDigest

/** The models that tests ask, named by system properties (set by tests/apk/jvm.py). */
object TestModels {
    /** The converted demo model, or any other that answers [question] with [answer]. */
    val taught: File get() = file("model")
    val question: String get() = property("question")
    val answer: String get() = property("answer")

    /** A model of random weights that goes on until its context is full. */
    val endless: File get() = file("endless")

    fun sha256(file: File): String = sha256(file.readBytes())

    fun sha256(bytes: ByteArray): String = MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

    fun property(name: String): String =
        requireNotNull(System.getProperty("pocketgemma.test.$name")) { "system property pocketgemma.test.$name is not set" }

    private fun file(name: String) = File(property(name)).also { require(it.isFile) { "$it: no such file" } }
}
