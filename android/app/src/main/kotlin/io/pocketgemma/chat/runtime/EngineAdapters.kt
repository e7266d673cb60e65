package io.pocketgemma.chat.runtime

import java.io.File

/**
 * Decides which adapter to pass to an engine.
 *
 * An engine without a given adapter continues with the last one; before the first, with whatever is in its memory. It also maps a file
 * again each time the file is passed, and keeps all mappings until it is closed. So an adapter is passed only when it changes, and the
 * engine must be recreated when too much memory is lost.
 */
internal class EngineAdapters(model: File, private val folder: File) {
    private val takesAdapters = EmptyAdapter.isNeeded(model)
    private val maxBytes = maxOf(MIN_BYTES, model.length() / MODEL_SHARE)

    // The adapter that the engine certainly continues with; null: unknown.
    private var present: File? = null
    private var asked: File? = null
    private var mappedBytes = 0L

    /** Whether the engine keeps so many mappings that it should be recreated. */
    val isFull: Boolean get() = mappedBytes > maxBytes

    /** The file to pass for a conversation with [adapter], or with none; null: none needs to be passed. */
    fun toName(adapter: File?): File? {
        val wanted = adapter ?: if (takesAdapters) EmptyAdapter.file(folder) else null
        asked = wanted
        if (wanted == present) return null
        // Unknown until the conversation has replied.
        present = null
        mappedBytes += wanted?.length() ?: 0
        return wanted
    }

    /** The conversation has given a reply. */
    fun answered() {
        present = asked
    }

    /** The conversation could not be created, or could not reply. */
    fun failed() {
        present = null
    }

    /** The engine was recreated. */
    fun forget() {
        present = null
        mappedBytes = 0
    }

    private companion object {
        /** Minimum of memory that may be lost: about ten adapters of a model with 270 million parameters. */
        const val MIN_BYTES = 64L shl 20

        /** For a larger model, up to a quarter of its size. */
        const val MODEL_SHARE = 4
    }
}
