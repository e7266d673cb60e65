package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import java.io.File

/**
 * Remembers that the GPU is at work for the first time. A driver that crashes takes the whole app along, and would again at every load:
 * after a trial that never ended, every other one is refused, so that the processor answers, until the person wants it [anew].
 *
 * No time lifts the refusal: a driver seldom gets better by itself, and the app must not end unasked every so often.
 */
internal class GpuTrial(folder: File) {
    private val mark = File(folder, "gpu.trial")

    /** @throws ModelException an earlier trial never ended. */
    fun begin() {
        if (mark.exists()) throw ModelException(ModelProblem.Unusable("the app ended while the GPU was tried"))
        mark.createNewFile()
    }

    fun end() {
        mark.delete()
    }

    /** Lifts a refusal: the person has chosen the GPU once more. */
    fun anew() = end()
}
