package io.pocketgemma.chat.library

import io.pocketgemma.chat.library.ImportedFiles.Kind
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.hex
import java.security.MessageDigest

/** A file being imported whose header is known. */
internal interface ImportCandidate {
    val kind: Kind

    /** Length of the complete file, as far as the header records it. */
    val minBytes: Long

    /**
     * Checks before the copy whether the file is usable here.
     *
     * @param reportedBytes file length as reported by the other app; null if it reports none.
     * @throws ModelException it is not usable.
     */
    fun requireUsable(library: ModelLibrary, memory: MemoryGauge, reportedBytes: Long?)

    /** [bytes] are located at [offset] of the file; in order and without gaps. */
    fun update(offset: Long, bytes: ByteArray, length: Int)

    /** After the last of [bytes] bytes. */
    fun isComplete(bytes: Long): Boolean

    fun info(name: String, id: String, bytes: Long): ImportedFileInfo
}

internal class ModelCandidate(private val header: ModelHeader) : ImportCandidate {
    private val content = ContentId.of(header)
    override val kind = Kind.MODEL
    override val minBytes get() = header.fileBytes

    override fun requireUsable(library: ModelLibrary, memory: MemoryGauge, reportedBytes: Long?) {
        if (reportedBytes != null && reportedBytes in 1 until minBytes) throw ModelException(ModelProblem.Damaged)
        // Refuses only what can never work: other apps may have freed memory when the model is used.
        MemoryRequirement.problem(MemoryRequirement.estimate(minBytes), memory.read(), despite = true)?.let { throw ModelException(it) }
    }

    override fun update(offset: Long, bytes: ByteArray, length: Int) {
        content?.update(offset, bytes, length)
    }

    override fun isComplete(bytes: Long) = bytes >= minBytes && content?.matches() != false

    override fun info(name: String, id: String, bytes: Long) =
        ImportedFileInfo(name.ifEmpty { id.take(ID_START) }, bytes, header.adapterRank, header.baseDigest)
}

internal class AdapterCandidate(private val header: AdapterHeader) : ImportCandidate {
    private val digest = MessageDigest.getInstance("SHA-256")
    override val kind = Kind.ADAPTER
    override val minBytes get() = header.tensorsEnd

    override fun requireUsable(library: ModelLibrary, memory: MemoryGauge, reportedBytes: Long?) {
        if (reportedBytes != null && reportedBytes in 1 until minBytes) throw ModelException(ModelProblem.Damaged)
        val takers = library.scan().models.filter { it.adapterRank != null }
        if (takers.isEmpty()) throw ModelException(ModelProblem.TakesNoAdapters)
        val fits = takers.any { it.adapterRank == header.rank && it.baseDigest == header.baseDigest }
        if (!fits) throw ModelException(ModelProblem.OtherBase)
    }

    override fun update(offset: Long, bytes: ByteArray, length: Int) {
        if (offset > 0) return digest.update(bytes, 0, length)
        // The digest is part of the first bytes, and was computed with zeros in its place.
        digest.update(bytes, 0, header.digestOffset)
        digest.update(ByteArray(AdapterHeader.DIGEST_LENGTH) { '0'.code.toByte() })
        val rest = header.digestOffset + AdapterHeader.DIGEST_LENGTH
        digest.update(bytes, rest, length - rest)
    }

    override fun isComplete(bytes: Long) = header.fitsInto(bytes) && digest.digest().hex() == header.digest

    override fun info(name: String, id: String, bytes: Long) =
        ImportedFileInfo(name.ifEmpty { displayName(header.name) }.ifEmpty { id.take(ID_START) }, bytes, header.rank, header.baseDigest)
}

/** Used if there is no name. */
private const val ID_START = 8
