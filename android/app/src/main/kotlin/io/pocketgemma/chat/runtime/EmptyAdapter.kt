package io.pocketgemma.chat.runtime

import java.io.DataInputStream
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** An adapter that changes nothing: a file in the runtime's format (pipeline/formats/runtime_adapter.py) with a rank and no tensors. */
internal object EmptyAdapter {
    /** The runtime reads the rank from the buffer index of a metadata entry; without tensors, any rank fits any model. */
    private const val RANK = 32

    private const val RANK_KEY = "lora_rank"

    /** Offset of the field in a .litertlm file that records where the header ends (pipeline/formats/litertlm.py). */
    private const val HEADER_END = 24
    private const val MAX_HEADER = 1L shl 18

    /** The runtime maps a file in blocks of this many bytes. */
    private const val BLOCK = 64 * 1024

    /** The file in a folder, written if it does not exist. */
    fun file(folder: File): File {
        val file = File(folder, "none.tflite")
        if (file.length() != BLOCK.toLong()) {
            val partial = File(folder, "none.partial")
            partial.writeBytes(content())
            partial.renameTo(file)
        }
        return file
    }

    /** Whether a .litertlm file supports adapters: the key is in its header, which has a few kilobytes. */
    fun isNeeded(model: File): Boolean = try {
        DataInputStream(model.inputStream().buffered()).use { input ->
            input.skipBytes(HEADER_END)
            val end = java.lang.Long.reverseBytes(input.readLong())
            val header = ByteArray((end - HEADER_END - Long.SIZE_BYTES).coerceIn(0, MAX_HEADER).toInt())
            input.readFully(header)
            RANK_KEY in String(header, Charsets.ISO_8859_1)
        }
    } catch (_: IOException) {
        false
    }

    private fun content(): ByteArray = FlatbufferWriter(BLOCK, "TFL3").apply {
        // Fields according to the schema of TensorFlow Lite: version, operator codes, subgraphs, description, buffers, (old) metadata,
        // metadata.
        val model = root(VERSION, POINTER, POINTER, POINTER, POINTER, null, POINTER)
        vector(model[1], 0)
        val (graph) = vector(model[2], 1)
        text(model[3], "lora_params")
        val buffers = vector(model[4], RANK + 1)
        val (entry) = vector(model[6], 1)
        // Tensors, inputs, outputs, operators, name.
        val fields = table(graph, POINTER, POINTER, POINTER, POINTER, POINTER)
        fields.dropLast(1).forEach { vector(it, 0) }
        text(fields.last(), "lora_params")
        buffers.forEach { table(it) }
        // Name, buffer.
        text(table(entry, POINTER, RANK).first(), RANK_KEY)
    }.bytes

    private const val VERSION = 3

    /** Placeholder for an offset that is filled in when its target is written. */
    private const val POINTER = 0

    /** Writes a flatbuffer from front to back: first the references, then their targets. */
    private class FlatbufferWriter(size: Int, identifier: String) {
        private val data = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN)
        val bytes: ByteArray get() = data.array()

        init {
            data.putInt(0).put(identifier.toByteArray())
        }

        fun root(vararg fields: Int?): List<Int> = table(0, *fields)

        /** A table of four-byte fields, null for missing ones. Returns the offsets of the fields, -1 for missing ones. */
        fun table(pointer: Int, vararg fields: Int?): List<Int> {
            val start = data.position()
            val header = 4 + 2 * fields.size
            val table = align(start + header)
            val present = fields.count { it != null }
            var next = table + 4
            val offsets = fields.map { if (it == null) -1 else next.also { next += 4 } }
            data.putShort(header.toShort()).putShort((4 + 4 * present).toShort())
            offsets.forEach { data.putShort(if (it < 0) 0 else (it - table).toShort()) }
            data.position(table)
            data.putInt(table - start)
            fields.filterNotNull().forEach { data.putInt(it) }
            data.putInt(pointer, table - pointer)
            return offsets
        }

        /** A vector of references, or an empty vector of any type. Returns their offsets. */
        fun vector(pointer: Int, count: Int): List<Int> {
            val start = data.position()
            data.putInt(pointer, start - pointer).putInt(count)
            repeat(count) { data.putInt(0) }
            return List(count) { start + 4 + 4 * it }
        }

        fun text(pointer: Int, text: String) {
            val start = data.position()
            data.putInt(pointer, start - pointer).putInt(text.length).put(text.toByteArray())
            data.position(align(data.position() + 1))
        }

        private fun align(position: Int) = (position + 3) / 4 * 4
    }
}
