package io.pocketgemma.chat.library

import io.pocketgemma.chat.library.ImportedFiles.Kind
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.hex
import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest
import java.util.concurrent.atomic.AtomicReference

/** The result of an import. */
sealed interface ImportOutcome {
    /** The file is in the library, possibly since before. */
    data class Taken(val id: String) : ImportOutcome

    data class Refused(val name: String, val problem: ModelProblem) : ImportOutcome

    data object Cancelled : ImportOutcome
}

/** Cancels an import from another thread. */
class ImportCancellation {
    private val source = AtomicReference<InputStream>()

    @Volatile
    var cancelled = false
        private set

    /** May wait for the document provider: not on the main thread. */
    fun cancel() {
        cancelled = true
        close()
    }

    internal fun reads(input: InputStream) {
        source.set(input)
        if (cancelled) close()
    }

    /** Ends a read that waits for a network. */
    internal fun close() {
        try {
            source.get()?.close()
        } catch (_: IOException) {
            // Whether the data is complete is checked elsewhere.
        } catch (_: RuntimeException) {
            // Errors of the other app arrive as these exceptions.
        }
    }
}

/** Imports another app's file into the library after checking that it is complete and usable. Worker thread only, one at a time. */
class FileImport(private val library: ModelLibrary, private val documents: DocumentReader, private val memory: MemoryGauge) {
    private class Cancelled : Exception()

    /** [onProgress] receives the progress from time to time. */
    fun run(uri: String, cancellation: ImportCancellation, onProgress: (Import) -> Unit): ImportOutcome {
        var name = ""
        return try {
            val description = documents.describe(uri)
            name = displayName(description.name)
            onProgress(Import(name))
            val input = documents.open(uri).also(cancellation::reads)
            ImportOutcome.Taken(take(input, name, description.bytes, cancellation) { onProgress(Import(name, it)) })
        } catch (_: Cancelled) {
            ImportOutcome.Cancelled
        } catch (error: ModelException) {
            if (cancellation.cancelled) ImportOutcome.Cancelled else ImportOutcome.Refused(name, error.problem)
        } catch (error: IOException) {
            val problem = ModelProblem.Unreadable(error.message ?: error.javaClass.simpleName)
            if (cancellation.cancelled) ImportOutcome.Cancelled else ImportOutcome.Refused(name, problem)
        } finally {
            cancellation.close()
        }
    }

    private fun take(input: InputStream, name: String, reportedBytes: Long?, cancellation: ImportCancellation, onShare: (Double) -> Unit): String {
        val start = ByteArray(AdapterHeader.MAX_BYTES)
        val length = fromSender { input.readFully(start) }
        val candidate = candidate(start, length)
        candidate.requireUsable(library, memory, reportedBytes)
        val partial = library.imported.partial()
        try {
            val digest = copy(input, start, length, partial, maxOf(reportedBytes ?: 0, candidate.minBytes), candidate, cancellation, onShare)
            // The document provider can still report an error at this point.
            fromSender(input::close)
            val bytes = partial.length()
            if (!candidate.isComplete(bytes)) throw ModelException(ModelProblem.Damaged)
            if (cancellation.cancelled) throw Cancelled()
            if (!isHere(digest, bytes)) {
                library.imported.add(candidate.kind, digest, partial, candidate.info(withoutExtension(name), digest, bytes))
            }
            return digest
        } finally {
            partial.delete()
        }
    }

    /** The first bytes decide, so that the user does not wait for a gigabyte of an unsuitable file. */
    private fun candidate(start: ByteArray, length: Int): ImportCandidate {
        val fileBytes = length.takeIf { it < start.size }?.toLong()
        return when (val kind = FileKind.of(start, length)) {
            FileKind.Model -> ModelCandidate(ModelHeader.read(start, minOf(length, ModelHeader.MAX_BYTES), fileBytes))
            FileKind.Adapter -> AdapterCandidate(AdapterHeader.read(start, length, fileBytes))
            is FileKind.Other -> throw ModelException(ModelProblem.WrongKind(kind.found))
        }
    }

    /** Copies the whole file, starting with [start], and returns its SHA-256. */
    private fun copy(
        input: InputStream,
        start: ByteArray,
        startLength: Int,
        target: File,
        likelyBytes: Long,
        candidate: ImportCandidate,
        cancellation: ImportCancellation,
        onShare: (Double) -> Unit,
    ): String {
        val digest = MessageDigest.getInstance("SHA-256")
        var total = 0L
        var length = startLength
        var lastStep = -1L
        makeRoom(likelyBytes, likelyBytes)
        writing(target, likelyBytes) { write ->
            while (length > 0) {
                if (cancellation.cancelled) throw Cancelled()
                // The document provider may have reported too small a size: never fill up the phone's storage.
                if (total + length > likelyBytes) makeRoom(length.toLong(), total + length)
                digest.update(start, 0, length)
                candidate.update(total, start, length)
                write(start, length)
                total += length
                val step = total * STEPS / maxOf(likelyBytes, total)
                if (step != lastStep) onShare(step.toDouble() / STEPS)
                lastStep = step
                length = fromSender { input.readFully(start) }
            }
        }
        return digest.digest().hex()
    }

    /** Exceptions of the other app during the copy count as a problem of this file. */
    private inline fun <T> fromSender(call: () -> T): T = try {
        call()
    } catch (error: RuntimeException) {
        throw IOException(error.message ?: error.javaClass.simpleName, error)
    }

    private inline fun writing(target: File, bytes: Long, work: (write: (ByteArray, Int) -> Unit) -> Unit) {
        target.outputStream().use { out ->
            work { block, length ->
                try {
                    out.write(block, 0, length)
                } catch (error: IOException) {
                    throw if (library.freeBytes() < SPARE) ModelException(ModelProblem.NoSpace(bytes + SPARE)) else error
                }
            }
            // Synced to disk, so that it is complete even after a power failure: its name implies that it is.
            out.fd.sync()
        }
    }

    private fun makeRoom(bytes: Long, whole: Long) {
        if (library.freeBytes() < bytes + SPARE) throw ModelException(ModelProblem.NoSpace(whole + SPARE))
    }

    /** A file that was truncated since is replaced. */
    private fun isHere(id: String, bytes: Long): Boolean {
        val before = Kind.entries.firstNotNullOfOrNull { library.imported.find(it, id) }
        if (before != null) return before.whole
        val here = library.scan()
        return here.models.any { it.id == id && it.bytes == bytes && library.isHere(it) } || here.adapters.any { it.id == id }
    }

    private companion object {
        /** Storage that is left for everything else on the phone. */
        const val SPARE = 32L shl 20

        /** Interval between reports of the progress. */
        const val STEPS = 200L
    }
}
