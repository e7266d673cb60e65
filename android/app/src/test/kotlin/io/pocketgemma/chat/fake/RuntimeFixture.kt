package io.pocketgemma.chat.fake

import io.pocketgemma.chat.TestModels
import io.pocketgemma.chat.chat.ChatStore
import io.pocketgemma.chat.inference.InferenceClient
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.ModelEntry
import io.pocketgemma.chat.library.Origin
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ModelSource
import io.pocketgemma.chat.model.RuntimeHost
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.runtime.LiteRtLm
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.settings.SettingsEvent
import io.pocketgemma.chat.store.MainThread
import java.io.File
import java.util.concurrent.DelayQueue
import java.util.concurrent.Delayed
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit

/** The real host and the real runtime, with the models of the tests. The test's own thread is the main thread. */
class RuntimeFixture(private val cache: File) : AutoCloseable {
    val taught = Selection("taught")
    val endless = Selection("endless")
    val settings = FakeSettings()
    val library = FakeLibrary()
    val storage = FakeStorage()
    private val main = Main()
    private val worker = Executors.newSingleThreadExecutor()
    private val disk = Executors.newSingleThreadExecutor()
    val host = RuntimeHost(Source(), worker, Runnable::run, main)
    val inference = InferenceClient(host, settings, library)

    init {
        LiteRtLm.setLogLevel(LiteRtLm.LOG_NOTHING)
        settings.dispatch(SettingsEvent.Loaded(Settings(threads = 1)))
        val models = listOf(taught, endless).map { ModelEntry(it.model, it.model, bytes = 1, Origin.APP) }
        library.dispatch(LibraryEvent.Loaded(models, emptyList(), emptyList(), tuned = taught, base = endless))
    }

    fun chat() = ChatStore(host, storage, disk, main, inference, ChatFixture.Words, changed = {})

    /** Runs the tasks of the main thread until a condition holds, and fails after a minute. */
    fun until(happened: () -> Boolean) {
        val end = System.nanoTime() + TimeUnit.MINUTES.toNanos(1)
        while (!happened()) {
            check(System.nanoTime() < end) { "did not happen within a minute" }
            main.tasks.poll(1, TimeUnit.SECONDS)?.run?.invoke()
        }
    }

    override fun close() {
        host.close()
        for (executor in listOf(worker, disk)) {
            executor.shutdown()
            executor.awaitTermination(1, TimeUnit.MINUTES)
        }
    }

    private inner class Source : ModelSource {
        override fun load(model: String, options: EngineOptions, onProgress: (Double) -> Unit): LanguageModel =
            LiteRtLm(if (model == taught.model) TestModels.taught else TestModels.endless, File(cache, model), options)

        override fun adapter(model: String, adapter: String): File = throw AssertionError("no adapter was asked for")
    }

    private class Main : MainThread {
        class Task(private val due: Long, val run: () -> Unit) : Delayed {
            override fun getDelay(unit: TimeUnit): Long = unit.convert(due - System.nanoTime(), TimeUnit.NANOSECONDS)

            override fun compareTo(other: Delayed): Int = getDelay(TimeUnit.NANOSECONDS).compareTo(other.getDelay(TimeUnit.NANOSECONDS))
        }

        val tasks = DelayQueue<Task>()

        override fun post(delayMillis: Long, task: () -> Unit) {
            tasks += Task(System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(delayMillis), task)
        }
    }
}
