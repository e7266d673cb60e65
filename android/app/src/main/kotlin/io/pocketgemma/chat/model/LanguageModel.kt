package io.pocketgemma.chat.model

import java.io.Closeable
import java.io.File

/** Who said something. */
enum class Role { USER, MODEL }

/** One finished turn of a conversation. */
data class Turn(val role: Role, val text: String)

enum class Backend { CPU, GPU }

/** How a model is loaded. Another value means loading it anew. */
data class EngineOptions(
    val backend: Backend = Backend.CPU,
    /** Processor threads; 0 lets the app choose: as many as there are, four at most. */
    val threads: Int = 0,
    /** Load even if the phone seems to have too little memory: the person has been asked. */
    val despiteMemory: Boolean = false,
) {
    /** How many threads that means here. */
    val usedThreads: Int
        get() = if (threads > 0) threads else Runtime.getRuntime().availableProcessors().coerceIn(1, MOST_CHOSEN_THREADS)

    private companion object {
        /** More threads than big cores slow the decoding down, and phones have two to four of those. */
        const val MOST_CHOSEN_THREADS = 4
    }
}

/** How tokens are drawn. */
data class Sampling(
    /** Divides the logits; 0 always takes the likeliest token. */
    val temperature: Float = 1.0f,
    /** Only the k likeliest tokens are drawn from. */
    val topK: Int = 64,
    /** Only the likeliest tokens that have this probability together are drawn from, 0 to 1. */
    val topP: Float = 0.95f,
    /** The same seed gives the same reply; 0 takes another one each time. */
    val seed: Int = 0,
)

/** What a conversation begins with. */
data class Setup(
    val history: List<Turn> = emptyList(),
    val systemPrompt: String = "",
    /** Null: as the model's file says. */
    val sampling: Sampling? = null,
    /** Longest reply, in tokens. */
    val replyTokens: Int = 512,
)

/** What a reply cost, as the runtime measured it. */
data class Numbers(
    val secondsToFirstToken: Double,
    /** Tokens of the prompt that this reply had to read: without what was read for an earlier turn. */
    val promptTokens: Int,
    val promptTokensPerSecond: Double,
    val tokens: Int,
    val tokensPerSecond: Double,
    /** Resident memory of the whole app after the reply, in bytes; null where the system does not say. */
    val memoryBytes: Long? = null,
)

/** How a reply ended. */
sealed interface ReplyEnd {
    data class Complete(val numbers: Numbers?) : ReplyEnd

    data class Stopped(val numbers: Numbers?) : ReplyEnd

    /** What was said so far and the question do not fit into the model's context together. */
    data object ContextFull : ReplyEnd

    /** The model, or its adapter, could not be loaded. */
    data class NoModel(val problem: ModelProblem) : ReplyEnd

    /** [detail] is the runtime's own message, for a developer's eyes. */
    data class Failed(val detail: String) : ReplyEnd
}

/** The seam around the runtime: one loaded model with one conversation at a time. A test's fake does the same. */
interface LanguageModel : Closeable {
    /** Where it really runs. */
    val backend: Backend

    /** Most tokens that a conversation can hold; null when the file does not say. */
    val contextTokens: Int?

    /**
     * Starts a conversation; ends the one before. Worker thread only.
     *
     * @param adapter an adapter file for run-time LoRA, checked; null: the model as it is.
     */
    fun begin(setup: Setup, adapter: File?)

    /** Asks, hands each piece of the reply to [onText] (on any thread), and returns when the reply has ended. Worker thread only. */
    fun reply(question: String, onText: (String) -> Unit): ReplyEnd

    /** Length of a text in tokens. Worker thread only. */
    fun countTokens(text: String): Int

    /** Ends a reply that is under way; does nothing otherwise. Any thread. */
    fun cancel()
}
