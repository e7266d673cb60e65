package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.store.MainThread
import java.util.concurrent.Executor
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class LibraryStoreTest {
    /** Runs its tasks on request. */
    private class Later : Executor, MainThread {
        private val tasks = ArrayDeque<() -> Unit>()

        override fun execute(task: Runnable) {
            tasks += task::run
        }

        override fun post(delayMillis: Long, task: () -> Unit) {
            tasks += task
        }

        fun run() {
            while (tasks.isNotEmpty()) tasks.removeFirst()()
        }
    }

    private class Work : LibraryOperations {
        val present = mutableListOf<ModelEntry>()
        var outcome: ImportOutcome = ImportOutcome.Cancelled
        var during: (ImportCancellation, (Import) -> Unit) -> Unit = { _, _ -> }

        override fun scan() = LibraryEvent.Loaded(present.toList(), emptyList(), listOf("Why?"), null, null)

        override fun import(uri: String, cancellation: ImportCancellation, onProgress: (Import) -> Unit): ImportOutcome {
            during(cancellation, onProgress)
            (outcome as? ImportOutcome.Taken)?.let { present += entry(it.id) }
            return outcome
        }

        override fun remove(id: String) {
            present.removeAll { it.id == id }
        }
    }

    private val work = Work()
    private val disk = Later()
    private val imports = Later()
    private val main = Later()
    private val store = LibraryStore(work, disk, imports, main)
    private val seen = mutableListOf<LibraryState>().also { states -> store.observe { states += it } }

    private fun settle() = repeat(3) {
        disk.run()
        imports.run()
        main.run()
    }

    @Test
    fun `nothing is known before the files were looked at, and then all of it`() {
        assertFalse(store.state.loaded)
        work.present += entry("a")
        store.dispatch(LibraryEvent.Refresh)
        assertFalse(store.state.loaded)
        settle()
        assertTrue(store.state.loaded)
        assertEquals(listOf("a"), store.state.models.map { it.id })
        work.present += entry("b")
        store.dispatch(LibraryEvent.Refresh)
        settle()
        assertEquals(listOf("a", "b"), store.state.models.map { it.id })
    }

    @Test
    fun `an import shows its progress, is in the library before it is reported, and is noted`() {
        work.outcome = ImportOutcome.Taken("new")
        work.during = { _, progress ->
            progress(Import("gemma.litertlm"))
            progress(Import("gemma.litertlm", 0.5))
        }
        store.dispatch(LibraryEvent.ImportFile("content://1"))
        assertEquals(Import(""), store.state.importing)
        settle()
        assertTrue(seen.any { it.importing == Import("gemma.litertlm", 0.5) })
        assertEquals("new", store.state.imported)
        assertEquals(null, store.state.importing)
        assertTrue(seen.filter { it.imported != null }.all { it.model("new") != null })
        store.dispatch(LibraryEvent.Noted)
        assertEquals(null, store.state.imported)
    }

    @Test
    fun `a refusal is reported with the file's name until it is noted`() {
        work.outcome = ImportOutcome.Refused("photo.jpg", ModelProblem.WrongKind(".jpg"))
        store.dispatch(LibraryEvent.ImportFile("content://1"))
        settle()
        assertEquals(LibraryState.Refused("photo.jpg", ModelProblem.WrongKind(".jpg")), store.state.refused)
        assertEquals(null, store.state.importing)
        store.dispatch(LibraryEvent.Noted)
        assertEquals(null, store.state.refused)
    }

    @Test
    fun `there is one import at a time`() {
        var count = 0
        work.during = { _, _ -> count++ }
        store.dispatch(LibraryEvent.ImportFile("content://1"))
        store.dispatch(LibraryEvent.ImportFile("content://2"))
        settle()
        assertEquals(1, count)
    }

    @Test
    fun `a canceled import ends immediately, and its late reports are ignored`() {
        val tickets = mutableListOf<ImportCancellation>()
        var late: (Import) -> Unit = {}
        work.during = { cancellation, progress ->
            tickets += cancellation
            late = progress
        }
        work.outcome = ImportOutcome.Taken("late")
        store.dispatch(LibraryEvent.ImportFile("content://1"))
        store.dispatch(LibraryEvent.CancelImport)
        assertEquals(null, store.state.importing)
        disk.run()
        imports.run()
        assertTrue(tickets.single().cancelled)
        store.dispatch(LibraryEvent.ImportFile("content://2"))
        late(Import("old", 0.9))
        main.run()
        assertEquals(Import(""), store.state.importing)
        assertEquals(null, store.state.imported)
    }

    @Test
    fun `what was imported can be removed, what came with the app cannot`() {
        work.present += entry("mine")
        work.present += entry("app").copy(origin = Origin.APP)
        store.dispatch(LibraryEvent.Refresh)
        settle()
        store.dispatch(LibraryEvent.Remove("mine"))
        assertEquals(listOf("app"), store.state.models.map { it.id })
        store.dispatch(LibraryEvent.Remove("app"))
        settle()
        assertEquals(listOf("app"), store.state.models.map { it.id })
        assertEquals(listOf("app"), work.present.map { it.id })
    }

    private companion object {
        fun entry(id: String) = ModelEntry(id, id, 1, Origin.IMPORTED)
    }
}
