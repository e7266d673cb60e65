package io.pocketgemma.chat.library

/** The data is malformed. Carries no details: the caller knows what this means for the user. */
internal class Malformed : Exception()

/**
 * A flatbuffer (https://flatbuffers.dev/internals) from an untrusted source, read by slot number. Every offset is checked against the
 * length. The total amount read is limited too, because a small file can refer to the same bytes many times.
 */
internal class Flatbuffer(private val bytes: ByteArray, private val begin: Int = 0, end: Int = bytes.size) {
    private val length = end - begin
    private var left = 4L * length

    /** @throws Malformed */
    val root: Table get() = Table(unsigned(0))

    /** Offset of a table from the start of the flatbuffer. */
    inner class Table(private val offset: Long) {
        private val entries = offset - signed(offset)
        private val entriesBytes = short(entries)

        init {
            spend(TABLE_BYTES)
        }

        private fun field(slot: Int): Long? {
            val entry = 4L + 2 * slot
            if (entry + 2 > entriesBytes) return null
            return short(entries + entry).takeIf { it != 0 }?.let { offset + it }
        }

        fun byte(slot: Int): Int = field(slot)?.let { bytes[at(it, 1)].toInt() and BYTE } ?: 0

        /** An unsigned 32-bit number. */
        fun int(slot: Int): Long = field(slot)?.let(::unsigned) ?: 0

        /** An unsigned 64-bit number. */
        fun long(slot: Int): Long {
            val field = field(slot) ?: return 0
            val value = unsigned(field) or (unsigned(field + 4) shl Int.SIZE_BITS)
            return if (value < 0) throw Malformed() else value
        }

        fun table(slot: Int): Table? = field(slot)?.let { Table(follow(it)) }

        fun tables(slot: Int): List<Table> = vector(slot, 4).let { (start, count) -> List(count) { Table(follow(start + 4L * it)) } }

        /** Signed 32-bit numbers. */
        fun ints(slot: Int): List<Int> = vector(slot, 4).let { (start, count) -> List(count) { signed(start + 4L * it).toInt() } }

        fun string(slot: Int): String? = field(slot)?.let { content(slot).let { (start, count) -> text(start, count) } }

        /** Offset of a byte vector in the whole array, and its length. */
        fun content(slot: Int): Pair<Int, Int> = vector(slot, 1).let { (start, count) -> at(start, count) to count }

        private fun vector(slot: Int, elementBytes: Int): Pair<Long, Int> {
            val start = follow(field(slot) ?: return 0L to 0)
            val count = unsigned(start)
            if (count > length) throw Malformed()
            val size = count.toInt().toLong() * elementBytes
            if (start + 4 + size > length) throw Malformed()
            spend(size)
            return start + 4 to count.toInt()
        }
    }

    private fun text(start: Int, count: Int) = String(bytes, start, count, Charsets.UTF_8)

    private fun follow(offset: Long) = offset + unsigned(offset)

    private fun short(offset: Long): Int = at(offset, 2).let { (bytes[it].toInt() and BYTE) or ((bytes[it + 1].toInt() and BYTE) shl 8) }

    private fun signed(offset: Long): Long = at(offset, 4).let {
        (short(offset) or (short(offset + 2) shl 16)).toLong()
    }

    private fun unsigned(offset: Long): Long = signed(offset) and UNSIGNED

    private fun at(offset: Long, size: Int): Int =
        if (offset < 0 || offset + size > length) throw Malformed() else begin + offset.toInt()

    private fun spend(size: Long) {
        left -= size
        if (left < 0) throw Malformed()
    }

    private companion object {
        const val BYTE = 255
        const val UNSIGNED = 0xFFFFFFFFL

        /** Minimum size of a table in a file: the offset to its vtable. */
        const val TABLE_BYTES = 4L
    }
}
