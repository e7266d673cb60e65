package io.pocketgemma.chat.fake

import io.pocketgemma.chat.store.MainThread
import java.util.concurrent.Executor

/** Runs posted tasks on request, on a clock of its own, so that a test sees every intermediate state. */
class ManualMainThread : MainThread {
    private class Task(val due: Long, val run: () -> Unit)

    private val tasks = mutableListOf<Task>()
    private var now = 0L

    override fun post(delayMillis: Long, task: () -> Unit) {
        tasks += Task(now + delayMillis, task)
    }

    /** Runs everything that is due within the next [millis]; true if there was anything. */
    fun advance(millis: Long = 0): Boolean {
        val end = now + millis
        var ran = false
        while (true) {
            val next = tasks.filter { it.due <= end }.minByOrNull { it.due } ?: break
            tasks -= next
            now = maxOf(now, next.due)
            next.run()
            ran = true
        }
        now = end
        return ran
    }
}

/** The tasks of one thread, run on request. */
class ManualExecutor : Executor {
    private val tasks = ArrayDeque<Runnable>()

    override fun execute(task: Runnable) = tasks.addLast(task)

    /** True if there was anything to run. */
    fun run(): Boolean {
        if (tasks.isEmpty()) return false
        while (tasks.isNotEmpty()) tasks.removeFirst().run()
        return true
    }
}
