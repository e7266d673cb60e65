package io.pocketgemma.chat.model

import io.pocketgemma.chat.store.MainThread
import java.io.File
import java.util.concurrent.Executor

/** Runs posted tasks on request, so that a test sees every intermediate state. Later tasks come after everything due earlier. */
internal class ManualMainThread : MainThread {
    private class Task(val due: Long, val run: () -> Unit)

    private val tasks = ArrayList<Task>()
    private var now = 0L

    /** When the tasks that called listeners were run, in milliseconds. */
    val time: Long get() = now

    @Synchronized
    override fun post(delayMillis: Long, task: () -> Unit) {
        tasks += Task(now + delayMillis, task)
    }

    fun drain() = generateSequence { next() }.forEach { it.run() }

    @Synchronized
    private fun next(): Task? = tasks.minByOrNull { it.due }?.also {
        tasks -= it
        now = maxOf(now, it.due)
    }
}

internal class ManualWorker : Executor {
    private val tasks = ArrayDeque<Runnable>()

    override fun execute(task: Runnable) = tasks.addLast(task)

    fun runNext() = tasks.removeFirst().run()

    fun drain() {
        while (tasks.isNotEmpty()) runNext()
    }
}

/** Emits its pieces one after another until it is canceled. A token is a character. */
internal class FakeModel(
    private val pieces: List<String> = listOf("yes"),
    override val backend: Backend = Backend.CPU,
    override val contextTokens: Int? = null,
) : LanguageModel {
    /** Each started conversation, with its adapter. */
    val begun = mutableListOf<Pair<ConversationConfig, File?>>()
    val asked = mutableListOf<String>()
    var whileReplying: (Int) -> Unit = {}

    /** How the next replies end; the pieces are emitted first. */
    val ends = ArrayDeque<ReplyEnd>()
    var breaks: Throwable? = null
    var refusesToBegin: ModelException? = null
    var closed = false
    var cancels = 0
    private var cancelled = false

    val histories: List<List<Turn>> get() = begun.map { it.first.history }

    override fun begin(config: ConversationConfig, adapter: File?) {
        check(!closed)
        refusesToBegin?.let { throw it }
        begun += config to adapter
    }

    override fun reply(question: String, onText: (String) -> Unit): ReplyEnd {
        check(!closed && begun.isNotEmpty())
        asked += question
        cancelled = false
        breaks?.let { throw it }
        val end = ends.removeFirstOrNull() ?: ReplyEnd.Complete(null)
        if (end is ReplyEnd.ContextFull || end is ReplyEnd.Failed) return end
        for ((index, piece) in pieces.withIndex()) {
            onText(piece)
            whileReplying(index)
            if (cancelled) return ReplyEnd.Stopped(null)
        }
        return end
    }

    override fun countTokens(text: String): Int = text.length

    override fun cancel() {
        cancels++
        cancelled = true
    }

    override fun close() {
        closed = true
    }
}

/** Loads what a test put there. */
internal class FakeSource(val models: MutableMap<String, () -> LanguageModel>) : ModelSource {
    val loads = mutableListOf<Pair<String, EngineOptions>>()
    var progress = emptyList<Double>()
    var whileLoading: () -> Unit = {}

    override fun load(model: String, options: EngineOptions, onProgress: (Double) -> Unit): LanguageModel {
        loads += model to options
        progress.forEach(onProgress)
        whileLoading()
        return models[model]?.invoke() ?: throw ModelException(ModelProblem.Missing(model))
    }

    override fun adapter(model: String, adapter: String): File =
        if (adapter == "bad") throw ModelException(ModelProblem.Damaged) else File(adapter)
}

/** Records what it receives. */
internal class Heard(private val main: ManualMainThread) : ReplyListener {
    val texts = mutableListOf<String>()
    val times = mutableListOf<Long>()
    var text: String? = null
    var end: ReplyEnd? = null

    override fun onText(text: String) {
        check(end == null) { "grew after the end" }
        texts += text
        times += main.time
    }

    override fun onEnd(text: String, end: ReplyEnd) {
        check(this.end == null) { "ended twice" }
        this.text = text
        this.end = end
    }
}
