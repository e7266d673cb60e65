package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.Numbers
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Setup
import io.pocketgemma.chat.model.Turn
import java.io.File
import java.util.concurrent.CountDownLatch
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/**
 * The only door to LiteRT-LM: one loaded model with one conversation at a time.
 *
 * @param modelPath a .litertlm file.
 * @param cacheFolder where the runtime may keep what it prepares (its weights repacked for this processor).
 * @param maxReplyTokens longest reply.
 * @throws ModelException the runtime does not take the file.
 */
class LiteRtLm(
    modelPath: String,
    cacheFolder: String,
    threads: Int,
    private val maxReplyTokens: Int = DEFAULT_REPLY_TOKENS,
) : LanguageModel {
    /** What the native code calls, on a thread of the runtime's own. */
    fun interface ChunkSink {
        fun onChunk(text: ByteArray?, final: Boolean, error: ByteArray?)
    }

    private var engine = nativeCreateEngine(modelPath.toByteArray(), cacheFolder.toByteArray(), threads)

    // Guards the handle: cancel() may come from any thread while the worker ends the conversation.
    private val lock = Any()
    private var conversation = 0L

    init {
        if (engine == 0L) throw ModelException(ModelProblem.Unusable(lastError()))
    }

    override val backend = Backend.CPU

    override val contextTokens: Int? = null

    override fun countTokens(text: String): Int = text.length

    override fun begin(setup: Setup, adapter: File?) {
        endConversation()
        val messages = JSONArray()
        val history = setup.history
        history.forEach { messages.put(message(it)) }
        val handle = nativeCreateConversation(engine, messages.toString().toByteArray().takeIf { history.isNotEmpty() }, maxReplyTokens)
        synchronized(lock) { conversation = handle }
    }

    override fun reply(question: String, onText: (String) -> Unit): ReplyEnd {
        if (conversation == 0L) return ReplyEnd.Failed(lastError())
        val ended = CountDownLatch(1)
        var failure: String? = null
        val sink = ChunkSink { text, final, error ->
            // Whatever the listener does, the reply must end, or the worker would wait for ever.
            try {
                val piece = text?.let { textOf(String(it, Charsets.UTF_8)) }
                if (!piece.isNullOrEmpty()) onText(piece)
            } finally {
                if (final) {
                    failure = error?.let { String(it, Charsets.UTF_8) }
                    ended.countDown()
                }
            }
        }
        val status = nativeSend(conversation, message(Turn(Role.USER, question)).toString().toByteArray(), sink)
        if (status != 0) return ReplyEnd.Failed(lastError())
        ended.await()
        val error = failure
        return when {
            error == null -> ReplyEnd.Complete(speed())
            error.startsWith(CANCELLED) -> ReplyEnd.Stopped(speed())
            CONTEXT_FULL.any { it in error } -> ReplyEnd.ContextFull
            else -> ReplyEnd.Failed(error)
        }
    }

    override fun cancel() = synchronized(lock) { if (conversation != 0L) nativeCancel(conversation) }

    override fun close() {
        endConversation()
        if (engine != 0L) nativeDeleteEngine(engine)
        engine = 0L
    }

    private fun speed(): Numbers? = nativeSpeed(conversation)?.let { Numbers(it[0], 0, 0.0, it[1].toInt(), it[2]) }

    // Conversations must be gone before their engine.
    private fun endConversation() = synchronized(lock) {
        if (conversation != 0L) nativeDeleteConversation(conversation)
        conversation = 0L
    }

    companion object {
        const val DEFAULT_REPLY_TOKENS = 512

        /** Log levels of the runtime: 4 errors only, 1000 silent. */
        const val LOG_ERRORS = 4
        const val LOG_NOTHING = 1000

        /** How the runtime's message begins when a reply was cancelled. */
        private const val CANCELLED = "CANCELLED"

        /** What the runtime's message holds when a question, or a chat with it, is longer than the context. */
        private val CONTEXT_FULL = listOf("Input token ids are too long", "exceeds available state entries")

        /** Names the native library's file where there is no APK around it: in tests on the JVM. */
        private const val LIBRARY_PROPERTY = "io.pocketgemma.chat.library"

        init {
            val path = System.getProperty(LIBRARY_PROPERTY)
            if (path != null) System.load(path) else System.loadLibrary("pocketgemma")
        }

        fun setLogLevel(level: Int) = nativeSetLogLevel(level)

        private fun lastError(): String = nativeLastError()?.let { String(it, Charsets.UTF_8) }.orEmpty().ifEmpty { "unknown error" }

        private fun message(turn: Turn) = JSONObject()
            .put("role", if (turn.role == Role.USER) "user" else "assistant")
            .put("content", JSONArray().put(JSONObject().put("type", "text").put("text", turn.text)))

        /** The text inside a chunk, which is a message in JSON; anything else is taken as it is. */
        internal fun textOf(chunk: String): String = try {
            val content = JSONObject(chunk).optJSONArray("content") ?: JSONArray()
            (0 until content.length()).joinToString("") { content.optJSONObject(it)?.optString("text").orEmpty() }
        } catch (_: JSONException) {
            chunk
        }

        @JvmStatic private external fun nativeSetLogLevel(level: Int)

        @JvmStatic private external fun nativeLastError(): ByteArray?

        @JvmStatic private external fun nativeCreateEngine(model: ByteArray, cache: ByteArray, threads: Int): Long

        @JvmStatic private external fun nativeDeleteEngine(engine: Long)

        @JvmStatic private external fun nativeCreateConversation(engine: Long, history: ByteArray?, maxOutput: Int): Long

        @JvmStatic private external fun nativeDeleteConversation(conversation: Long)

        @JvmStatic private external fun nativeCancel(conversation: Long)

        @JvmStatic private external fun nativeSend(conversation: Long, message: ByteArray, sink: ChunkSink): Int

        @JvmStatic private external fun nativeSpeed(conversation: Long): DoubleArray?
    }
}
