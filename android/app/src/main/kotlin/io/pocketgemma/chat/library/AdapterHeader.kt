package io.pocketgemma.chat.library

import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelProblem
import org.json.JSONException
import org.json.JSONObject

/**
 * The flatbuffer at the start of an adapter file (pipeline/formats/runtime_adapter.py): the locations of the LoRA tensors, which follow it,
 * and the adapter's identity. The runtime checks little of this, so it is checked here.
 *
 * @param name name of the adapter.
 * @param digest hexadecimal SHA-256 of the whole file with zeros in place of this digest.
 * @param digestOffset byte offset of the digest in the file.
 */
internal class AdapterHeader private constructor(
    val name: String,
    val rank: Int,
    val baseDigest: String,
    val digest: String,
    val digestOffset: Int,
    val tensorsEnd: Long,
) {
    fun fitsInto(fileBytes: Long) = fileBytes >= tensorsEnd && fileBytes % BLOCK == 0L

    companion object {
        private val IDENTIFIER = "TFL3".toByteArray()
        private const val IDENTIFIER_OFFSET = 4

        /** The runtime maps whole blocks of an adapter file. */
        private const val BLOCK = 64L * 1024

        /** The flatbuffer of an adapter for a hundred layers has about 100 kB. */
        const val MAX_BYTES = 1 shl 20

        const val DIGEST_LENGTH = 64
        private const val FORMAT = "pocketgemma-runtime-adapter-1"
        private const val FLOAT32 = 0
        private val TENSOR = Regex("lora_atten_[qkvo]_([ab])_prime_weight_\\d{1,4}")
        private val DIGEST = Regex("\"sha256\": \"([0-9a-f]{64})\"")
        private const val MAX_TEXT = 4096

        /** The manifest is flat. A deeply nested one could only exhaust the stack. */
        private const val MAX_BRACKETS = 16

        // Field slots according to the schema of TensorFlow Lite (schema.fbs, version 3).
        private const val SUBGRAPHS = 2
        private const val BUFFERS = 4
        private const val METADATA = 6

        fun isAt(start: ByteArray, length: Int): Boolean =
            length >= IDENTIFIER_OFFSET + IDENTIFIER.size && IDENTIFIER.indices.all { start[IDENTIFIER_OFFSET + it] == IDENTIFIER[it] }

        /**
         * Parses the header from the first bytes of the file.
         *
         * @param start the first [MAX_BYTES] of the file, or the whole file if it is shorter.
         * @param length number of valid bytes in [start].
         * @param fileBytes length of the file; null if it is not known yet.
         * @throws ModelException the file is a .tflite without an adapter, truncated, or damaged.
         */
        fun read(start: ByteArray, length: Int, fileBytes: Long?): AdapterHeader {
            val header = try {
                parse(start, Flatbuffer(start, 0, length))
            } catch (_: Malformed) {
                // A model's flatbuffer extends beyond the bytes read here; an adapter's does not.
                val cut = length < MAX_BYTES
                throw ModelException(if (cut) ModelProblem.Damaged else ModelProblem.WrongKind(ADAPTER_EXTENSION))
            }
            if (header == null) throw ModelException(ModelProblem.WrongKind(ADAPTER_EXTENSION))
            if (fileBytes != null && !header.fitsInto(fileBytes)) throw ModelException(ModelProblem.Damaged)
            return header
        }

        /** Null: a .tflite, but not an adapter. */
        private fun parse(start: ByteArray, document: Flatbuffer): AdapterHeader? {
            val root = document.root
            val buffers = root.tables(BUFFERS)
            val entries = root.tables(METADATA).associate { it.string(0) to it.int(1) }
            // The rank's metadata entry stores the rank as its buffer index, as the runtime requires.
            val rank = entries["lora_rank"] ?: return null
            val (offset, size) = entries["pocketgemma"]?.let { buffer(buffers, it) }?.content(0) ?: return null
            if (size > MAX_TEXT) throw Malformed()
            val text = String(start, offset, size, Charsets.UTF_8)
            val manifest = manifest(text)
            if (manifest.opt("format") != FORMAT || manifest.optLong("rank") != rank) throw Malformed()
            val digest = DIGEST.find(String(start, offset, size, Charsets.ISO_8859_1)) ?: throw Malformed()
            return AdapterHeader(
                name = manifest.opt("name") as? String ?: throw Malformed(),
                rank = rank.toInt(),
                baseDigest = manifest.opt("base_digest") as? String ?: throw Malformed(),
                digest = digest.groupValues[1],
                digestOffset = offset + digest.groups[1]!!.range.first,
                tensorsEnd = tensorsEnd(root, buffers, rank),
            )
        }

        private fun manifest(text: String): JSONObject {
            if (text.count { it == '{' || it == '[' } > MAX_BRACKETS) throw Malformed()
            return try {
                JSONObject(text)
            } catch (_: JSONException) {
                throw Malformed()
            }
        }

        /** End of the last tensor, as a byte offset in the file. */
        private fun tensorsEnd(root: Flatbuffer.Table, buffers: List<Flatbuffer.Table>, rank: Long): Long {
            val graph = root.tables(SUBGRAPHS).singleOrNull() ?: throw Malformed()
            return graph.tables(0).maxOfOrNull { tensor ->
                val part = TENSOR.matchEntire(tensor.string(3).orEmpty())?.groupValues?.get(1) ?: throw Malformed()
                val shape = tensor.ints(0).map { it.toLong() }
                val buffer = buffer(buffers, tensor.int(2))
                val (offset, bytes) = buffer.long(1) to buffer.long(2)
                val ranked = shape.size == 2 && shape.all { it > 0 } && shape[if (part == "a") 1 else 0] == rank
                if (!ranked || tensor.byte(1) != FLOAT32 || bytes != Float.SIZE_BYTES * shape[0] * shape[1]) throw Malformed()
                if (offset + bytes < offset) throw Malformed()
                offset + bytes
            } ?: 0
        }

        private fun buffer(buffers: List<Flatbuffer.Table>, index: Long): Flatbuffer.Table =
            if (index < buffers.size) buffers[index.toInt()] else throw Malformed()
    }
}
