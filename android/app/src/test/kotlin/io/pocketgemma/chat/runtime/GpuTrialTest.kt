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
    fun `after a trial that took the app along, the next one is refused once`() {
        GpuTrial(folder.root).begin()
        assertThrows(ModelException::class.java) { GpuTrial(folder.root).begin() }
        GpuTrial(folder.root).begin()
    }
}
