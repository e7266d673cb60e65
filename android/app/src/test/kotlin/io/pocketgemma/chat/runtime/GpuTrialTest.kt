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
    fun `after a trial that took the app along, each one is refused until the person wants it anew`() {
        GpuTrial(folder.root).begin()
        repeat(3) { assertThrows(ModelException::class.java) { GpuTrial(folder.root).begin() } }
        GpuTrial(folder.root).anew()
        GpuTrial(folder.root).begin()
        assertThrows(ModelException::class.java) { GpuTrial(folder.root).begin() }
    }
}
