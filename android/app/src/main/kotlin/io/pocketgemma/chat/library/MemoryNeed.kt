package io.pocketgemma.chat.library

import android.app.ActivityManager
import android.content.Context
import io.pocketgemma.chat.model.ModelProblem

/** The phone's memory in bytes: all of it, and what apps can have without another one being closed for it. */
data class Memory(val total: Long, val free: Long)

fun interface MemoryGauge {
    fun read(): Memory
}

/** What Android says. */
class DeviceMemory(private val context: Context) : MemoryGauge {
    override fun read(): Memory {
        val info = ActivityManager.MemoryInfo()
        (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(info)
        return Memory(info.totalMem, info.availMem)
    }
}

/** How much memory a model takes, and whether the phone has that. */
internal object MemoryNeed {
    /**
     * Bytes that an open model takes, from its file's length alone, for one that nobody has worked it out for. The weights count once,
     * because the runtime maps them; the rest was measured (docs/measurements/memory.json): 468 MB for Gemma 3 270M with a file of
     * 285 MB, 1246 MB for 1B with one of 1026 MB. Weights of 16 bits are widened and take twice as much: their files are a rarity on phones.
     */
    fun estimate(fileBytes: Long): Long = fileBytes + fileBytes / 20 + BESIDE_WEIGHTS

    /**
     * More than three quarters of all memory no app gets: the system itself holds the rest.
     *
     * @return null when the phone has [need] bytes, or when the person wants to try with less than that.
     */
    fun problem(need: Long, memory: Memory, despite: Boolean): ModelProblem.TooLarge? = when {
        need > memory.total / 4 * 3 -> ModelProblem.TooLarge(need, memory.free, tryAnyway = false)
        need > memory.free && !despite -> ModelProblem.TooLarge(need, memory.free, tryAnyway = true)
        else -> null
    }

    /** Library, activations, KV cache and tokenizer of a model with Gemma's vocabulary. */
    private const val BESIDE_WEIGHTS = 170_000_000L
}
