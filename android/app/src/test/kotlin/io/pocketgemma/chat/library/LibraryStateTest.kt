package io.pocketgemma.chat.library

import io.pocketgemma.chat.fake.Shelf
import io.pocketgemma.chat.model.Selection
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test

class LibraryStateTest {
    private val other = Shelf.gemma.copy(id = "other", origin = Origin.IMPORTED)
    private val state = LibraryState(
        loaded = true,
        models = listOf(Shelf.gemma, other, Shelf.single),
        adapters = listOf(Shelf.science, Shelf.poems),
        tuned = Shelf.tuned,
        base = Shelf.base,
    )

    @Test
    fun `who is chosen answers`() {
        for (wanted in listOf(Shelf.tuned, Shelf.base, Selection("gemma", "poems"), Selection("other", "poems"), Selection("single"))) {
            assertEquals(wanted, state.present(wanted))
        }
    }

    @Test
    fun `without a selection, or if the model no longer exists, the model that the app was built for is used`() {
        assertEquals(Shelf.tuned, state.present(null))
        assertEquals(Shelf.tuned, state.present(Selection("gone", "poems")))
        assertEquals(Selection("gemma"), state.copy(tuned = null).present(null))
        assertNull(LibraryState(loaded = true).present(Shelf.tuned))
    }

    @Test
    fun `an adapter that is gone leaves the app's own, not the bare base`() {
        assertEquals(Shelf.tuned, state.present(Selection("gemma", "gone")))
        assertEquals(Selection("other"), state.present(Selection("other", "gone")))
        assertEquals(Selection("gemma"), state.copy(tuned = null).present(Selection("gemma", "gone")))
    }
}
