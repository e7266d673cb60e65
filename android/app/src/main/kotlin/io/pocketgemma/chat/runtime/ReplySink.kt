package io.pocketgemma.chat.runtime

import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

/** Receives one reply from the runtime and passes its text on. */
internal class ReplySink(private val onText: (String) -> Unit) : Native.ChunkSink {
    private val started = System.nanoTime()
    private val ended = CountDownLatch(1)

    // Written by the runtime's thread before the latch, read by the waiting thread after it.
    private var error: String? = null
    private var firstText = 0L

    /** Time from the question to the first piece of text; null if there was none. After [await] only. */
    val secondsToFirstText: Double? get() = if (firstText == 0L) null else (firstText - started) / NANOS_A_SECOND

    override fun onChunk(text: ByteArray?, final: Boolean, error: ByteArray?) {
        // Whatever the listener does, the reply must end, or the worker would wait forever.
        try {
            val piece = text?.let { Messages.textOf(String(it, Charsets.UTF_8)) }
            if (!piece.isNullOrEmpty()) {
                if (firstText == 0L) firstText = System.nanoTime()
                onText(piece)
            }
        } finally {
            if (final) {
                this.error = error?.let { String(it, Charsets.UTF_8) }
                ended.countDown()
            }
        }
    }

    /**
     * Waits until the reply has ended; returns the runtime's message if it ended with an error.
     *
     * @param isLost polled from time to time: true if the end could not be reported.
     */
    fun await(isLost: () -> Boolean = Native::nativeEndLost): String? {
        while (!ended.await(LOOK_MILLIS, TimeUnit.MILLISECONDS)) if (isLost()) return LOST
        return error
    }

    private companion object {
        const val NANOS_A_SECOND = 1e9
        const val LOOK_MILLIS = 500L
        const val LOST = "the end of the reply was lost"
    }
}
