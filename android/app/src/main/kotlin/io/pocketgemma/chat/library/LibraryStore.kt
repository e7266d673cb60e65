package io.pocketgemma.chat.library

import io.pocketgemma.chat.store.MainThread
import io.pocketgemma.chat.store.Store
import java.util.concurrent.Executor

/** Work that the store delegates. Worker threads only. */
interface LibraryOperations {
    fun scan(): LibraryEvent.Loaded

    fun import(uri: String, cancellation: ImportCancellation, onProgress: (Import) -> Unit): ImportOutcome

    /** Deletes an imported file. */
    fun remove(id: String)
}

/** The implementation with real files. */
class FileLibraryOperations(private val library: ModelLibrary, private val imports: FileImport) : LibraryOperations {
    override fun scan() = library.scan()

    override fun import(uri: String, cancellation: ImportCancellation, onProgress: (Import) -> Unit) = imports.run(uri, cancellation, onProgress)

    override fun remove(id: String) = library.remove(id)
}

/**
 * The available models and adapters, and the one import that may be in progress.
 *
 * @param disk for short file operations, in order.
 * @param imports for operations that take minutes.
 */
class LibraryStore(
    private val operations: LibraryOperations,
    private val disk: Executor,
    private val imports: Executor,
    private val mainThread: MainThread,
) : Store<LibraryState, LibraryEvent>(LibraryState()) {
    /** Number of the import in progress; reports of older ones are ignored. */
    private var cancellation: ImportCancellation? = null

    override fun reduce(state: LibraryState, event: LibraryEvent): LibraryState = state.reduce(event)

    override fun act(before: LibraryState, after: LibraryState, event: LibraryEvent) {
        when (event) {
            LibraryEvent.Refresh -> scan {}
            is LibraryEvent.Remove -> scan { operations.remove(event.id) }
            is LibraryEvent.ImportFile -> import(event.uri)
            LibraryEvent.CancelImport -> cancellation?.let {
                cancellation = null
                disk.execute(it::cancel)
            }
            else -> Unit
        }
    }

    private fun scan(first: () -> Unit) = disk.execute {
        first()
        val loaded = operations.scan()
        mainThread.post { dispatch(loaded) }
    }

    private fun import(uri: String) {
        val mine = ImportCancellation()
        cancellation = mine
        imports.execute {
            val outcome = operations.import(uri, mine) { progress ->
                mainThread.post { if (cancellation === mine) dispatch(LibraryEvent.ImportProgress(progress)) }
            }
            // The state already contains the file, because the receiver of this event may select it.
            val loaded = if (outcome is ImportOutcome.Taken) operations.scan() else null
            mainThread.post {
                loaded?.let(::dispatch)
                if (cancellation === mine) ended(outcome)
            }
        }
    }

    private fun ended(outcome: ImportOutcome) {
        cancellation = null
        when (outcome) {
            is ImportOutcome.Taken -> dispatch(LibraryEvent.Imported(outcome.id))
            is ImportOutcome.Refused -> dispatch(LibraryEvent.ImportRefused(outcome.name, outcome.problem))
            ImportOutcome.Cancelled -> dispatch(LibraryEvent.CancelImport)
        }
    }
}
