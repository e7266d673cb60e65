package io.pocketgemma.chat.store

/** Runs things on the thread that owns the screen. */
interface MainThread {
    fun post(delayMillis: Long = 0, task: () -> Unit)
}
