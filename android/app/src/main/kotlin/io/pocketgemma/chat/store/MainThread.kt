package io.pocketgemma.chat.store

/** Runs tasks on the main thread. */
interface MainThread {
    fun post(delayMillis: Long = 0, task: () -> Unit)
}
