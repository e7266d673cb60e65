package io.pocketgemma.chat

import java.util.concurrent.Executor

/** Stands for a thread; runs what it was given when it is told to, so that a test sees every moment in between. */
class TestThread : Executor, MainThread {
    private val tasks = ArrayDeque<() -> Unit>()

    override fun execute(task: Runnable) = tasks.addLast(task::run)

    override fun post(delayMillis: Long, task: () -> Unit) = tasks.addLast(task)

    val waiting: Int get() = tasks.size

    fun drain() {
        while (tasks.isNotEmpty()) tasks.removeFirst()()
    }
}
