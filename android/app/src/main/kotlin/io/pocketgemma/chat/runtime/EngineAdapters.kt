package io.pocketgemma.chat.runtime

import java.io.File

/**
 * Which adapter an engine must be told of.
 *
 * An engine that is told of no adapter goes on with the last one; before the first, with whatever lies in its memory. And it maps a file
 * anew each time that it is told of it, and keeps that until it is closed. So it is told only when the adapter changes, and must be made
 * anew when too much was lost.
 */
internal class EngineAdapters(model: File, private val folder: File) {
    private val takesAdapters = NoAdapter.isNeeded(model)
    private val mostBytes = maxOf(LEAST_BYTES, model.length() / MODEL_SHARE)

    // What the engine certainly goes on with; null: unknown.
    private var present: File? = null
    private var asked: File? = null
    private var mappedBytes = 0L

    /** Whether the engine keeps so many adapters that it should be made anew. */
    val isFull: Boolean get() = mappedBytes > mostBytes

    /** The file that a conversation with [adapter], or with none, must name; null: it need not name any. */
    fun toName(adapter: File?): File? {
        val wanted = adapter ?: if (takesAdapters) NoAdapter.file(folder) else null
        asked = wanted
        if (wanted == present) return null
        // Until the conversation has answered, nobody knows.
        present = null
        mappedBytes += wanted?.length() ?: 0
        return wanted
    }

    /** The conversation has given a reply. */
    fun answered() {
        present = asked
    }

    /** The conversation could not be made, or not answer. */
    fun failed() {
        present = null
    }

    /** The engine was made anew. */
    fun forget() {
        present = null
        mappedBytes = 0
    }

    private companion object {
        /** So much may be lost at least: some ten adapters of a model of 270 million parameters. */
        const val LEAST_BYTES = 64L shl 20

        /** Of a larger model, as much as a quarter of its own size. */
        const val MODEL_SHARE = 4
    }
}
