package io.pocketgemma.chat.model

import java.io.Closeable
import java.io.File

/** The author of a turn. */
enum class Role { USER, MODEL }

/** A finished turn of a conversation. */
data class Turn(val role: Role, val text: String)

enum class Backend { CPU, GPU }

/** How a model is loaded. Any change requires loading it again. */
data class EngineOptions(
    val backend: Backend = Backend.CPU,
    /** CPU threads; 0: the app chooses the number of cores, at most four. */
    val threads: Int = 0,
    /** Load even if memory seems insufficient: the user was asked. */
    val ignoreLowMemory: Boolean = false,
) {
    /** The resulting number of threads. */
    val usedThreads: Int
        get() = if (threads > 0) threads else Runtime.getRuntime().availableProcessors().coerceIn(1, MAX_CHOSEN_THREADS)

    private companion object {
        /** More threads than big cores slow down decoding, and phones have two to four of those. */
        const val MAX_CHOSEN_THREADS = 4
    }
}

/** How tokens are sampled. */
data class Sampling(
    /** Divides the logits; 0 always selects the most likely token. */
    val temperature: Float = 1.0f,
    /** Samples only from the k most likely tokens. */
    val topK: Int = 64,
    /** Samples only from the most likely tokens whose probabilities add up to this value, 0 to 1. */
    val topP: Float = 0.95f,
    /** The same seed gives the same reply; 0 uses a different one each time. */
    val seed: Int = 0,
)

/** The start of a conversation. */
data class ConversationConfig(
    val history: List<Turn> = emptyList(),
    val systemPrompt: String = "",
    /** Null: the values in the model file. */
    val sampling: Sampling? = null,
    /** Maximum reply length, in tokens. */
    val replyTokens: Int = 512,
)

/** The cost of a reply, as measured by the runtime. */
data class ReplyMetrics(
    val secondsToFirstToken: Double,
    /** Prompt tokens that were processed for this reply: without those processed for an earlier turn. */
    val promptTokens: Int,
    val promptTokensPerSecond: Double,
    val tokens: Int,
    val tokensPerSecond: Double,
    /** Resident memory of the whole app after the reply, in bytes; null if the system does not report it. */
    val memoryBytes: Long? = null,
)

/** The end of a reply. */
sealed interface ReplyEnd {
    data class Complete(val metrics: ReplyMetrics?) : ReplyEnd

    data class Stopped(val metrics: ReplyMetrics?) : ReplyEnd

    /** The history and the question together do not fit into the model's context. */
    data object ContextFull : ReplyEnd

    /** The model, or its adapter, could not be loaded. */
    data class NoModel(val problem: ModelProblem) : ReplyEnd

    /** [detail] is the runtime's message, for developers. */
    data class Failed(val detail: String) : ReplyEnd
}

/** The interface to the runtime: one loaded model with one conversation at a time. Tests implement it with a fake. */
interface LanguageModel : Closeable {
    /** The backend in use. */
    val backend: Backend

    /** Maximum number of tokens in a conversation; null if the file does not record it. */
    val contextTokens: Int?

    /**
     * Starts a conversation and ends the previous one. Worker thread only.
     *
     * @param adapter a verified adapter file for LoRA at run time; null: the model without an adapter.
     */
    fun begin(config: ConversationConfig, adapter: File?)

    /**
     * Sends a question, passes each piece of the reply to [onText] (on any thread), and returns when the reply has ended. Worker thread
     * only.
     */
    fun reply(question: String, onText: (String) -> Unit): ReplyEnd

    /** Number of tokens of a text. Worker thread only. */
    fun countTokens(text: String): Int

    /** Stops the reply in progress; otherwise does nothing. Any thread. */
    fun cancel()
}
