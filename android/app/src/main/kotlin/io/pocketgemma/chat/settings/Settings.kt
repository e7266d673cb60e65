package io.pocketgemma.chat.settings

import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.text.beginning

/** What a person can set. The defaults are the app's. */
data class Settings(
    val backend: Backend = Backend.CPU,
    /** 0: the app chooses. */
    val threads: Int = 0,
    /** False: tokens are drawn as the model's file says, and [sampling] only waits. */
    val ownSampling: Boolean = false,
    val sampling: Sampling = Sampling(),
    /** Longest reply, in tokens. */
    val replyTokens: Int = 512,
    val systemPrompt: String = "",
    /** Show what each reply cost under it. */
    val showNumbers: Boolean = false,
    /** Let Android's backup take conversations and settings along. */
    val backUp: Boolean = false,
    /** Who answers; null: what came with the app. */
    val selection: Selection? = null,
) {
    val options: EngineOptions get() = EngineOptions(backend, threads)

    /** Within what the sliders offer; anything else is moved to the nearest. */
    fun withinLimits(): Settings = copy(
        threads = threads.coerceIn(THREADS),
        sampling = sampling.copy(
            temperature = sampling.temperature.number(DEFAULT.temperature).coerceIn(0f, MOST_TEMPERATURE),
            topK = sampling.topK.coerceIn(TOP_K),
            topP = sampling.topP.number(DEFAULT.topP).coerceIn(0f, 1f),
            seed = sampling.seed.coerceAtLeast(0),
        ),
        replyTokens = replyTokens.coerceIn(REPLY_TOKENS),
        systemPrompt = systemPrompt.beginning(MOST_SYSTEM_PROMPT),
    )

    companion object {
        val THREADS = 0..8
        const val MOST_TEMPERATURE = 2f
        val TOP_K = 1..256
        val REPLY_TOKENS = 16..4096

        /** In UTF-16 characters, some 2,000 tokens: a longer one leaves a small model's context no room for a conversation. */
        const val MOST_SYSTEM_PROMPT = 8000

        private val DEFAULT = Sampling()

        private fun Float.number(otherwise: Float): Float = if (isNaN()) otherwise else this
    }
}
