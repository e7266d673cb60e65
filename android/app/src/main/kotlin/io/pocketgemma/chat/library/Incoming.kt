package io.pocketgemma.chat.library

import io.pocketgemma.chat.library.ImportedFiles.Kind
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.hex
import java.security.MessageDigest

/** A file being imported whose header is known. */
internal interface Incoming {
    val kind: Kind

    /** Length of the complete file, as far as the header records it. */
    val leastBytes: Long

    /**
     * Checks before the copy whether the file is usable here.
     *
     * @param told file length as reported by the other app; null if it reports none.
     * @throws ModelException it is not usable.
     */
    fun admit(library: ModelLibrary, memory: MemoryGauge, told: Long?)

    /** [bytes] are located at [place] of the file; in order and without gaps. */
    fun see(place: Long, bytes: ByteArray, length: Int)

    /** After the last of [bytes] bytes. */
    fun isWhole(bytes: Long): Boolean

    fun about(name: String, id: String, bytes: Long): About
}

internal class IncomingModel(private val header: ModelHeader) : Incoming {
    private val content = ContentId.of(header)
    override val kind = Kind.MODEL
    override val leastBytes get() = header.fileBytes

    override fun admit(library: ModelLibrary, memory: MemoryGauge, told: Long?) {
        if (told != null && told in 1 until leastBytes) throw ModelException(ModelProblem.Damaged)
        // Refuses only what can never work: other apps may have freed memory when the model is used.
        MemoryNeed.problem(MemoryNeed.estimate(leastBytes), memory.read(), despite = true)?.let { throw ModelException(it) }
    }

    override fun see(place: Long, bytes: ByteArray, length: Int) {
        content?.update(place, bytes, length)
    }

    override fun isWhole(bytes: Long) = bytes >= leastBytes && content?.holds() != false

    override fun about(name: String, id: String, bytes: Long) =
        About(name.ifEmpty { id.take(ID_START) }, bytes, header.adapterRank, header.baseDigest)
}

internal class IncomingAdapter(private val header: AdapterHeader) : Incoming {
    private val digest = MessageDigest.getInstance("SHA-256")
    override val kind = Kind.ADAPTER
    override val leastBytes get() = header.tensorsEnd

    override fun admit(library: ModelLibrary, memory: MemoryGauge, told: Long?) {
        if (told != null && told in 1 until leastBytes) throw ModelException(ModelProblem.Damaged)
        val takers = library.look().models.filter { it.adapterRank != null }
        if (takers.isEmpty()) throw ModelException(ModelProblem.TakesNoAdapters)
        val fits = takers.any { it.adapterRank == header.rank && it.baseDigest == header.baseDigest }
        if (!fits) throw ModelException(ModelProblem.OtherBase)
    }

    override fun see(place: Long, bytes: ByteArray, length: Int) {
        if (place > 0) return digest.update(bytes, 0, length)
        // The digest is part of the first bytes, and was computed with zeros in its place.
        digest.update(bytes, 0, header.digestPlace)
        digest.update(ByteArray(AdapterHeader.DIGEST_LENGTH) { '0'.code.toByte() })
        val rest = header.digestPlace + AdapterHeader.DIGEST_LENGTH
        digest.update(bytes, rest, length - rest)
    }

    override fun isWhole(bytes: Long) = header.fitsInto(bytes) && digest.digest().hex() == header.digest

    override fun about(name: String, id: String, bytes: Long) =
        About(name.ifEmpty { displayName(header.name) }.ifEmpty { id.take(ID_START) }, bytes, header.rank, header.baseDigest)
}

/** Used if there is no name. */
private const val ID_START = 8
