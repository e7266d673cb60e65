package io.pocketgemma.chat.settings

import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.text.truncated

/** The user's settings, with the app's defaults. */
data class Settings(
    val backend: Backend = Backend.CPU,
    /** 0: the app chooses. */
    val threads: Int = 0,
    /** False: tokens are sampled with the values in the model file, and [sampling] is unused. */
    val ownSampling: Boolean = false,
    val sampling: Sampling = Sampling(),
    /** Maximum reply length, in tokens. */
    val replyTokens: Int = 512,
    val systemPrompt: String = "",
    /** Show statistics under each reply. */
    val showMetrics: Boolean = false,
    /** Include conversations and settings in Android's backup. */
    val backUp: Boolean = false,
    /** The selected model; null: the one that came with the app. */
    val selection: Selection? = null,
) {
    val options: EngineOptions get() = EngineOptions(backend, threads)

    /** Within the range of the sliders; other values are moved to the nearest one. */
    fun withinLimits(): Settings = copy(
        threads = threads.coerceIn(THREADS),
        sampling = sampling.copy(
            temperature = sampling.temperature.number(DEFAULT.temperature).coerceIn(0f, MAX_TEMPERATURE),
            topK = sampling.topK.coerceIn(TOP_K),
            topP = sampling.topP.number(DEFAULT.topP).coerceIn(0f, 1f),
            seed = sampling.seed.coerceAtLeast(0),
        ),
        replyTokens = replyTokens.coerceIn(REPLY_TOKENS),
        systemPrompt = systemPrompt.truncated(MAX_SYSTEM_PROMPT),
    )

    companion object {
        val THREADS = 0..8
        const val MAX_TEMPERATURE = 2f
        val TOP_K = 1..256
        val REPLY_TOKENS = 16..4096

        /** In UTF-16 characters, about 2,000 tokens: a longer one leaves no room for a conversation in a small model's context. */
        const val MAX_SYSTEM_PROMPT = 8000

        private val DEFAULT = Sampling()

        private fun Float.number(otherwise: Float): Float = if (isNaN()) otherwise else this
    }
}
