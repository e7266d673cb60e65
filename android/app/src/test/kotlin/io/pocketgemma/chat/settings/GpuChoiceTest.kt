package io.pocketgemma.chat.settings

import io.pocketgemma.chat.fake.FakeSettings
import io.pocketgemma.chat.model.Backend
import org.junit.Assert.assertEquals
import org.junit.Test

class GpuChoiceTest {
    private val settings = FakeSettings()
    private var chosen = 0

    private fun change(backend: Backend) = settings.change { it.copy(backend = backend) }

    @Test
    fun `each change to the GPU is reported, and nothing else`() {
        settings.onGpuChosen { chosen++ }
        settings.dispatch(SettingsEvent.Loaded(Settings()))
        change(Backend.GPU)
        assertEquals(1, chosen)
        settings.change { it.copy(threads = 3) }
        change(Backend.CPU)
        assertEquals(1, chosen)
        change(Backend.GPU)
        assertEquals(2, chosen)
    }

    @Test
    fun `a stored choice is not reported again when the app starts`() {
        settings.onGpuChosen { chosen++ }
        settings.dispatch(SettingsEvent.Loaded(Settings(backend = Backend.GPU)))
        assertEquals(0, chosen)
    }
}
