package io.pocketgemma.chat.runtime

import io.pocketgemma.chat.model.ModelException
import org.junit.Assert.assertThrows
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class GpuTrialTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `a trial that ended lets the next one begin`() = repeat(3) {
        GpuTrial(folder.root).run {
            begin()
            end()
        }
    }

    @Test
    fun `after a trial that crashed the app, each one is refused until the user selects the GPU again`() {
        GpuTrial(folder.root).begin()
        repeat(3) { assertThrows(ModelException::class.java) { GpuTrial(folder.root).begin() } }
        GpuTrial(folder.root).reset()
        GpuTrial(folder.root).begin()
        assertThrows(ModelException::class.java) { GpuTrial(folder.root).begin() }
    }
}
