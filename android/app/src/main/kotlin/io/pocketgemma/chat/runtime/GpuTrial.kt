package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import java.io.File

/**
 * Remembers that the GPU is at work for the first time. A driver that crashes takes the whole app along, and would again at every start:
 * after a trial that never ended, the next one is refused, so that the processor answers.
 */
internal class GpuTrial(folder: File) {
    private val mark = File(folder, "gpu.trial")

    /** @throws ModelException the last trial never ended. */
    fun begin() {
        if (mark.delete()) throw ModelException(ModelProblem.Unusable("the app ended while the GPU was tried"))
        mark.createNewFile()
    }

    fun end() {
        mark.delete()
    }
}
