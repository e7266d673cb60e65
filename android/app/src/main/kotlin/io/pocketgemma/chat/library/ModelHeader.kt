package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem

/**
 * The start of a .litertlm file: the bytes LITERTLM, three version numbers, four bytes of padding, a 64-bit number with the end of the
 * header, and the header as a flatbuffer (LiteRT-LM, schema/core/litertlm_header_schema.fbs).
 *
 * @param system the file's own metadata.
 * @param sections in the order of the header.
 */
internal class ModelHeader private constructor(val system: Map<String, String>, val sections: List<Section>) {
    /** Part of the file from byte [begin] up to [end]; [kind] is the schema's AnySectionDataType. */
    class Section(val kind: Int, val begin: Long, val end: Long)

    /** Minimum length of the complete file. */
    val fileBytes: Long get() = sections.maxOf { it.end }

    /** Rank of the LoRA tensors that it takes as inputs. */
    val adapterRank: Int? get() = system["lora_rank"]?.toIntOrNull()?.takeIf { it > 0 }
    val baseDigest: String? get() = system["base_digest"]?.takeIf { it.isNotEmpty() && adapterRank != null }

    companion object {
        private val MAGIC = "LITERTLM".toByteArray()
        private const val VERSION = 1
        private const val VERSION_OFFSET = 8
        private const val END_OFFSET = 24
        private const val BEGIN = 32
        private const val STRING = 9
        private const val MODEL = 3
        private const val METADATA = 5

        /** Headers have a few kilobytes. */
        const val MAX_BYTES = 1 shl 18

        fun isAt(start: ByteArray, length: Int): Boolean = length >= MAGIC.size && MAGIC.indices.all { start[it] == MAGIC[it] }

        /**
         * Parses the header from the first bytes of the file.
         *
         * @param start the first [MAX_BYTES] of the file, or the whole file if it is shorter.
         * @param length number of valid bytes in [start].
         * @param fileBytes length of the file; null if it is not known yet.
         * @throws ModelException the file is truncated, damaged, of a later format, or contains no language model.
         */
        fun read(start: ByteArray, length: Int, fileBytes: Long?): ModelHeader {
            if (!isAt(start, length) || length < BEGIN) throw ModelException(ModelProblem.Damaged)
            val version = start[VERSION_OFFSET].toInt()
            if (version != VERSION) throw ModelException(ModelProblem.WrongKind("$MODEL_EXTENSION $version"))
            val end = (0 until Long.SIZE_BYTES).fold(0L) { sum, index ->
                sum or ((start[END_OFFSET + index].toLong() and 255) shl (8 * index))
            }
            if (end <= BEGIN || end > length) throw ModelException(ModelProblem.Damaged)
            val header = try {
                parse(Flatbuffer(start, BEGIN, end.toInt()), end)
            } catch (_: Malformed) {
                throw ModelException(ModelProblem.Damaged)
            }
            if (fileBytes != null && header.fileBytes > fileBytes) throw ModelException(ModelProblem.Damaged)
            val kinds = header.sections.map { it.kind }
            // Files for speech or embeddings have other sections in place of one of these.
            if (MODEL !in kinds || METADATA !in kinds) throw ModelException(ModelProblem.WrongKind(MODEL_EXTENSION))
            return header
        }

        private fun parse(document: Flatbuffer, headerEnd: Long): ModelHeader {
            val root = document.root
            val system = root.table(0)?.tables(0).orEmpty().mapNotNull { entry ->
                val key = entry.string(0)
                val value = if (entry.byte(1) == STRING) entry.table(2)?.string(0) else null
                if (key == null || value == null) null else key to value
            }
            val sections = root.table(1)?.tables(0).orEmpty().map { Section(it.byte(3), it.long(1), it.long(2)) }
            if (sections.isEmpty() || sections.any { it.begin < headerEnd || it.end <= it.begin }) throw Malformed()
            return ModelHeader(system.toMap(), sections)
        }
    }
}
