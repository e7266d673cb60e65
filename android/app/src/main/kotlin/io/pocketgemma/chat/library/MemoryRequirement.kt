package io.pocketgemma.chat.library

import android.app.ActivityManager
import android.content.Context
import io.pocketgemma.chat.model.ModelProblem

/** The phone's memory in bytes: the total, and the part that is available without closing other apps. */
data class Memory(val total: Long, val free: Long)

fun interface MemoryGauge {
    fun read(): Memory
}

/** The values that Android reports. */
class DeviceMemory(private val context: Context) : MemoryGauge {
    override fun read(): Memory {
        val info = ActivityManager.MemoryInfo()
        (context.getSystemService(Context.ACTIVITY_SERVICE) as ActivityManager).getMemoryInfo(info)
        return Memory(info.totalMem, info.availMem)
    }
}

/** Estimates how much memory a model needs, and checks whether the phone has it. */
internal object MemoryRequirement {
    /**
     * Memory in bytes that an open model needs, estimated from its file length for models without a calculated value. The weights count
     * once, because the runtime maps them; the rest was measured (docs/measurements/memory.json): 468 MB for Gemma 3 270M with a file of
     * 285 MB, 1246 MB for 1B with one of 1026 MB. 16-bit weights are widened and need twice as much, but such files are rare on phones.
     */
    fun estimate(fileBytes: Long): Long = fileBytes + fileBytes / 20 + BESIDE_WEIGHTS

    /**
     * No app gets more than three quarters of the total memory: the system itself uses the rest.
     *
     * @return null if the phone has [need] bytes, or if the user wants to load the model with less.
     */
    fun problem(need: Long, memory: Memory, despite: Boolean): ModelProblem.TooLarge? = when {
        need > memory.total / 4 * 3 -> ModelProblem.TooLarge(need, memory.free, tryAnyway = false)
        need > memory.free && !despite -> ModelProblem.TooLarge(need, memory.free, tryAnyway = true)
        else -> null
    }

    /** Library, activations, KV cache, and tokenizer of a model with Gemma's vocabulary. */
    private const val BESIDE_WEIGHTS = 170_000_000L
}
