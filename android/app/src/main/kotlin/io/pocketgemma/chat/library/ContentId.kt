package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.hex
import java.security.MessageDigest

/**
 * Checks that a model from this pipeline contains what it was created with: its id is derived from its metadata and from the bytes of its
 * sections (pipeline/formats/litertlm.py, stamp). Receives the file's bytes in order.
 */
internal class ContentId private constructor(private val id: String, private val metadata: ByteArray, sections: List<ModelHeader.Section>) {
    private class Piece(val begin: Long, val end: Long) {
        val digest: MessageDigest = MessageDigest.getInstance("SHA-256")
    }

    // A section is hashed in pieces, and then the digests of the pieces in order.
    private val pieces = sections.flatMap { section ->
        (section.begin until section.end step PIECE_BYTES).map { Piece(it, minOf(it + PIECE_BYTES, section.end)) }
    }
    private var next = 0

    /** [bytes] are located at [offset] of the file. */
    fun update(offset: Long, bytes: ByteArray, length: Int) {
        while (next < pieces.size) {
            val piece = pieces[next]
            val from = maxOf(piece.begin, offset)
            val until = minOf(piece.end, offset + length)
            if (from < until) piece.digest.update(bytes, (from - offset).toInt(), (until - from).toInt())
            if (piece.end > offset + length) return
            next++
        }
    }

    /** After the last byte: true if the content is the one that the id was derived from. */
    fun matches(): Boolean {
        val whole = MessageDigest.getInstance("SHA-256")
        whole.update(metadata)
        pieces.forEach { whole.update(it.digest.digest()) }
        return uuid(whole.digest()) == id
    }

    companion object {
        private const val PIECE_BYTES = 1L shl 25
        private const val ID = "uuid"
        private const val NO_ID = "00000000-0000-4000-8000-000000000000"

        /** A crafted header could request a digest for each byte. */
        private const val MAX_PIECES = 4096

        /** Null: the file is not from this pipeline, so its id reveals nothing about its content. */
        fun of(header: ModelHeader): ContentId? {
            val id = header.system[ID]
            if (id == null || header.system["Authors"] != "PocketGemma") return null
            if (header.sections.size + header.fileBytes / PIECE_BYTES > MAX_PIECES) return null
            val sections = header.sections.sortedBy { it.begin }
            if (sections.zipWithNext().any { (first, second) -> second.begin < first.end }) return null
            return ContentId(id, json(header.system + (ID to NO_ID)).toByteArray(), sections)
        }

        /** In the format of Python's json.dumps(…, sort_keys=True). */
        private fun json(entries: Map<String, String>): String =
            entries.toSortedMap().entries.joinToString(", ", "{", "}") { (key, value) -> "${quoted(key)}: ${quoted(value)}" }

        private fun quoted(text: String): String = text.asIterable().joinToString("", "\"", "\"") { char ->
            when (char) {
                '"' -> "\\\""
                '\\' -> "\\\\"
                '\n' -> "\\n"
                '\r' -> "\\r"
                '\t' -> "\\t"
                '\b' -> "\\b"
                '\u000C' -> "\\f"
                in ' '..'~' -> char.toString()
                else -> "\\u%04x".format(char.code)
            }
        }

        /** The first 16 bytes as a version 4 UUID. */
        private fun uuid(digest: ByteArray): String {
            val bytes = digest.copyOf(16)
            bytes[6] = ((bytes[6].toInt() and 0x0F) or 0x40).toByte()
            bytes[8] = ((bytes[8].toInt() and 0x3F) or 0x80).toByte()
            val text = bytes.hex()
            return listOf(0 to 8, 8 to 12, 12 to 16, 16 to 20, 20 to 32).joinToString("-") { (from, until) -> text.substring(from, until) }
        }
    }
}
