package io.pocketgemma.chat.library

import io.pocketgemma.chat.store.MainThread
import io.pocketgemma.chat.store.Store
import java.util.concurrent.Executor

/** What the store has others do. Worker threads only. */
interface LibraryWork {
    fun look(): LibraryEvent.Loaded

    fun import(uri: String, ticket: ImportTicket, onProgress: (Import) -> Unit): ImportOutcome

    /** Deletes an imported file. */
    fun remove(id: String)
}

/** The real files. */
class LibraryFiles(private val library: ModelLibrary, private val imports: FileImport) : LibraryWork {
    override fun look() = library.look()

    override fun import(uri: String, ticket: ImportTicket, onProgress: (Import) -> Unit) = imports.run(uri, ticket, onProgress)

    override fun remove(id: String) = library.remove(id)
}

/**
 * What models and adapters there are, and the one import that may be under way.
 *
 * @param disk for short work on files, in order.
 * @param imports for what takes minutes.
 */
class LibraryStore(
    private val work: LibraryWork,
    private val disk: Executor,
    private val imports: Executor,
    private val mainThread: MainThread,
) : Store<LibraryState, LibraryEvent>(LibraryState()) {
    /** Of the import under way: what an older one still reports is not heard any more. */
    private var ticket: ImportTicket? = null

    override fun reduce(state: LibraryState, event: LibraryEvent): LibraryState = state.reduce(event)

    override fun act(before: LibraryState, after: LibraryState, event: LibraryEvent) {
        when (event) {
            LibraryEvent.Refresh -> look {}
            is LibraryEvent.Remove -> look { work.remove(event.id) }
            is LibraryEvent.ImportFile -> import(event.uri)
            LibraryEvent.CancelImport -> ticket?.let {
                ticket = null
                disk.execute(it::cancel)
            }
            else -> Unit
        }
    }

    private fun look(first: () -> Unit) = disk.execute {
        first()
        val loaded = work.look()
        mainThread.post { dispatch(loaded) }
    }

    private fun import(uri: String) {
        val mine = ImportTicket()
        ticket = mine
        imports.execute {
            val outcome = work.import(uri, mine) { progress ->
                mainThread.post { if (ticket === mine) dispatch(LibraryEvent.ImportProgress(progress)) }
            }
            // With the file already among the others: who hears that it was imported may choose it.
            val loaded = if (outcome is ImportOutcome.Taken) work.look() else null
            mainThread.post {
                loaded?.let(::dispatch)
                if (ticket === mine) ended(outcome)
            }
        }
    }

    private fun ended(outcome: ImportOutcome) {
        ticket = null
        when (outcome) {
            is ImportOutcome.Taken -> dispatch(LibraryEvent.Imported(outcome.id))
            is ImportOutcome.Refused -> dispatch(LibraryEvent.ImportRefused(outcome.name, outcome.problem))
            ImportOutcome.Cancelled -> dispatch(LibraryEvent.CancelImport)
        }
    }
}
