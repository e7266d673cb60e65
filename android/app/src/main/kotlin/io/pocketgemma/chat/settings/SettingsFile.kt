package io.pocketgemma.chat.settings

import android.content.Context
import android.content.SharedPreferences
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.Sampling
import io.pocketgemma.chat.model.Selection

/** The stored settings. Created on any thread; read and written on the disk thread only. */
class SettingsFile(private val context: Context) {
    private val preferences: SharedPreferences get() = context.getSharedPreferences(NAME, Context.MODE_PRIVATE)

    /** A value that is missing, of a wrong type, or out of range is replaced by the default or the nearest valid value. */
    fun read(): Settings {
        val values: Map<String, Any?> = preferences.all
        val default = Settings()
        return Settings(
            backend = Backend.entries.find { it.name == values[BACKEND] } ?: default.backend,
            threads = values[THREADS] as? Int ?: default.threads,
            ownSampling = values[OWN_SAMPLING] as? Boolean ?: default.ownSampling,
            sampling = Sampling(
                temperature = values[TEMPERATURE] as? Float ?: default.sampling.temperature,
                topK = values[TOP_K] as? Int ?: default.sampling.topK,
                topP = values[TOP_P] as? Float ?: default.sampling.topP,
                seed = values[SEED] as? Int ?: default.sampling.seed,
            ),
            replyTokens = values[REPLY_TOKENS] as? Int ?: default.replyTokens,
            systemPrompt = values[SYSTEM_PROMPT] as? String ?: default.systemPrompt,
            showMetrics = values[SHOW_METRICS] as? Boolean ?: default.showMetrics,
            backUp = values[BACK_UP] as? Boolean ?: default.backUp,
            selection = (values[MODEL] as? String)?.let { Selection(it, values[ADAPTER] as? String) },
        ).withinLimits()
    }

    /** Returns when the settings are on disk. */
    fun write(settings: Settings) {
        preferences.edit()
            .putString(BACKEND, settings.backend.name)
            .putInt(THREADS, settings.threads)
            .putBoolean(OWN_SAMPLING, settings.ownSampling)
            .putFloat(TEMPERATURE, settings.sampling.temperature)
            .putInt(TOP_K, settings.sampling.topK)
            .putFloat(TOP_P, settings.sampling.topP)
            .putInt(SEED, settings.sampling.seed)
            .putInt(REPLY_TOKENS, settings.replyTokens)
            .putString(SYSTEM_PROMPT, settings.systemPrompt)
            .putBoolean(SHOW_METRICS, settings.showMetrics)
            .putBoolean(BACK_UP, settings.backUp)
            .putString(MODEL, settings.selection?.model)
            .putString(ADAPTER, settings.selection?.adapter)
            .commit()
    }

    companion object {
        const val NAME = "settings"

        private const val BACKEND = "backend"
        private const val THREADS = "threads"
        private const val OWN_SAMPLING = "own_sampling"
        private const val TEMPERATURE = "temperature"
        private const val TOP_K = "top_k"
        private const val TOP_P = "top_p"
        private const val SEED = "seed"
        private const val REPLY_TOKENS = "reply_tokens"
        private const val SYSTEM_PROMPT = "system_prompt"
        private const val SHOW_METRICS = "show_numbers"
        private const val BACK_UP = "back_up"
        private const val MODEL = "model"
        private const val ADAPTER = "adapter"
    }
}
