package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import java.io.File

/**
 * Records that the GPU is in use for the first time. A crashing driver ends the whole app, and would do so at every load: after a trial
 * that never ended, all further ones are refused, so that the CPU is used, until the user selects the GPU [again][reset].
 *
 * The refusal does not expire: a driver rarely improves by itself, and the app must not crash from time to time.
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

    /** Lifts a refusal: the user has selected the GPU again. */
    fun reset() = end()
}
