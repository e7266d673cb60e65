package io.pocketgemma.chat.library

import io.pocketgemma.chat.TestModels
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** A table of a flatbuffer: each field a number, a text, an array of bytes or Ints, another table, a list of tables, or null for none. */
class FlatTable(vararg val fields: Any?)

/** Writes a flatbuffer from front to back. */
class FlatWriter private constructor() {
    private val data = ByteBuffer.allocate(1 shl 20).order(ByteOrder.LITTLE_ENDIAN)

    private fun table(table: FlatTable): Int {
        val entries = data.position()
        data.putShort((4 + 2 * table.fields.size).toShort()).putShort((4 + 8 * table.fields.size).toShort())
        table.fields.forEachIndexed { slot, value -> data.putShort(if (value == null) 0 else (4 + 8 * slot).toShort()) }
        val place = data.position()
        data.putInt(place - entries)
        data.position(place + 4 + 8 * table.fields.size)
        table.fields.forEachIndexed { slot, value -> if (value != null) field(place + 4 + 8 * slot, value) }
        return place
    }

    private fun field(place: Int, value: Any) {
        when (value) {
            is Byte -> data.put(place, value)
            is Int -> data.putInt(place, value)
            is Long -> data.putLong(place, value)
            is FlatTable -> data.putInt(place, table(value) - place)
            is String -> vector(place, value.toByteArray().size) { data.put(value.toByteArray()) }
            is ByteArray -> vector(place, value.size) { data.put(value) }
            is IntArray -> vector(place, value.size) { value.forEach { data.putInt(it) } }
            is List<*> -> vector(place, value.size) {
                val start = data.position()
                repeat(value.size) { data.putInt(0) }
                value.forEachIndexed { index, each -> data.putInt(start + 4 * index, table(each as FlatTable) - start - 4 * index) }
            }
            else -> error("no field: $value")
        }
    }

    private fun vector(place: Int, count: Int, elements: () -> Unit) {
        data.putInt(place, data.position() - place)
        data.putInt(count)
        elements()
    }

    companion object {
        fun write(root: FlatTable, identifier: String = ""): ByteArray = FlatWriter().run {
            data.putInt(0).put(identifier.toByteArray())
            data.putInt(0, table(root))
            data.array().copyOf(data.position())
        }
    }
}

/** Small files of every kind, valid unless a test breaks them. */
object TestFiles {
    const val MODEL = 3
    const val TOKENIZER = 4
    const val METADATA = 5
    val BASE = "b".repeat(64)
    val OTHER_BASE = "c".repeat(64)

    /** Sections contain [sectionBytes] each, filled from [seed] on. */
    fun model(
        system: Map<String, String> = mapOf("Authors" to "somebody"),
        kinds: List<Int> = listOf(METADATA, TOKENIZER, MODEL),
        sectionBytes: Int = 20_000,
        seed: Int = 1,
    ): ByteArray {
        val block = 16 * 1024
        fun header(begins: List<Long>) = FlatWriter.write(
            FlatTable(
                FlatTable(system.map { (key, value) -> FlatTable(key, 9.toByte(), FlatTable(value)) }),
                FlatTable(kinds.zip(begins).map { (kind, begin) -> FlatTable(null, begin, begin + sectionBytes, kind.toByte()) }),
            ),
        )
        val first = (32 + header(kinds.map { 0L }).size + block - 1) / block * block
        val begins = kinds.indices.map { (first + it * ((sectionBytes + block - 1) / block * block)).toLong() }
        val file = ByteBuffer.allocate((begins.last() + sectionBytes).toInt()).order(ByteOrder.LITTLE_ENDIAN)
        for (place in first until file.capacity()) file.put(place, (seed * 7 + place * 31).toByte())
        val content = header(begins)
        file.put("LITERTLM".toByteArray()).putInt(1).putInt(7).putInt(0).putInt(0).putLong(32L + content.size).put(content)
        return file.array()
    }

    /** A model that supports adapters. */
    fun base(rank: Int = 16, baseDigest: String = BASE, seed: Int = 2) =
        model(mapOf("Authors" to "somebody", "lora_rank" to "$rank", "base_digest" to baseDigest), seed = seed)

    fun adapter(
        name: String = "adapter",
        rank: Int = 16,
        baseDigest: String = BASE,
        tensor: String = "lora_atten_q_a_prime_weight_0",
        width: Int = 128,
        offset: Long? = null,
        value: Byte = 5,
    ): ByteArray {
        val noDigest = "0".repeat(64)
        val format = "pocketgemma-runtime-adapter-1"
        val manifest = """{"format": "$format", "name": "$name", "rank": $rank, "base_digest": "$baseDigest", "sha256": "$noDigest"}"""
        val bytes = 4L * width * rank
        fun document(place: Long): ByteArray {
            val empty = List(rank) { FlatTable() }
            val buffers = listOf(FlatTable(), FlatTable(null, place, bytes)) + empty + FlatTable(manifest.toByteArray())
            val graph = FlatTable(listOf(FlatTable(intArrayOf(width, rank), 0.toByte(), 1, tensor)))
            val metadata = listOf(FlatTable("lora_rank", rank), FlatTable("pocketgemma", buffers.size - 1))
            return FlatWriter.write(FlatTable(3, null, listOf(graph), "lora_params", buffers, null, metadata), "TFL3")
        }
        val begin = offset ?: ((document(0).size + 63L) / 64 * 64)
        val file = document(begin).copyOf(64 * 1024)
        if (offset == null) for (index in 0 until bytes.toInt()) file[begin.toInt() + index] = value
        return stamped(file, noDigest)
    }

    /** A .tflite that is not an adapter. */
    fun tflite() = FlatWriter.write(FlatTable(3, null, listOf(FlatTable()), "a model", listOf(FlatTable())), "TFL3").copyOf(5000)

    private fun stamped(file: ByteArray, noDigest: String): ByteArray {
        val place = String(file, Charsets.ISO_8859_1).indexOf(noDigest)
        TestModels.sha256(file).toByteArray().copyInto(file, place)
        return file
    }
}
