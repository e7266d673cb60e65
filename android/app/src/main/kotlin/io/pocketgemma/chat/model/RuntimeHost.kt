package io.pocketgemma.chat.model

import io.pocketgemma.chat.store.MainThread
import java.util.concurrent.Executor

/**
 * The host that loads from a [ModelSource] and works on [worker], one task after another.
 *
 * @param worker one thread; all of the model's work is done there.
 * @param stopper another one, for stopping that work: the runtime may take its time to hear of it, and the screen cannot wait.
 */
class RuntimeHost(
    source: ModelSource,
    private val worker: Executor,
    private val stopper: Executor,
    private val main: MainThread,
) : ModelStore() {
    private val held = HeldModel(source) { state -> main.post { dispatch(ModelEvent.Changed(state)) } }

    // Requests whose work is not over yet. Main thread.
    private val asked = LinkedHashSet<Asking>()
    private var closed = false

    // Number of the newest wish; what is only for later (loading, freeing) is not done when another one came after it.
    @Volatile private var wishes = 0L

    // Guards who is being answered: a stop must not reach another's reply.
    private val lock = Any()
    @Volatile private var answered: Asking? = null

    override fun prepare(selection: Selection, options: EngineOptions) {
        // What the person allowed holds even when another wish comes before the loading.
        if (options.despiteMemory && !closed) worker.execute { held.allow(selection.model) }
        laterUnlessChanged {
            tellingFailure(selection) {
                held.use(selection, options)
                held.adapter(selection)
            }
        }
    }

    override fun ask(request: Request, listener: ReplyListener): AutoCloseable {
        wishes++
        val asking = Asking(request, listener)
        if (closed) {
            asking.close()
        } else {
            asked += asking
            worker.execute(asking)
        }
        return asking
    }

    override fun release() {
        if (asked.isEmpty()) laterUnlessChanged(::free)
    }

    override fun close() {
        asked.toList().forEach { it.close() }
        laterUnlessChanged(::free)
        closed = true
    }

    private fun laterUnlessChanged(task: () -> Unit) {
        if (closed) return
        val wish = ++wishes
        worker.execute { if (wish == wishes) task() }
    }

    private fun free() {
        if (held.free()) main.post { dispatch(ModelEvent.Changed(ModelState.Asleep)) }
    }

    /** Does what needs a model; when there is none, the state says so. Returns what was wrong. */
    private fun tellingFailure(selection: Selection, task: () -> Unit): ModelProblem? {
        val problem = try {
            task()
            return null
        } catch (error: ModelException) {
            error.problem
        } catch (error: Throwable) {
            // A library that does not load is an Error, not an Exception; the person still gets a sentence.
            ModelProblem.Unusable(error.toString())
        }
        main.post { dispatch(ModelEvent.Changed(ModelState.Failed(selection, problem))) }
        return problem
    }

    /** A request on its way. [run] on the worker, [close] on the main thread. */
    private inner class Asking(private val request: Request, private val listener: ReplyListener) : Runnable, AutoCloseable {
        private val text = StringBuffer()
        @Volatile private var stopped = false

        // Of the threads on which pieces come, which come one after another.
        @Volatile private var stoppedAgain = false

        // Whether the listener will hear of the newest text.
        @Volatile private var announced = false

        // Main thread.
        private var ended = false

        override fun run() {
            var end: ReplyEnd = ReplyEnd.Stopped(null)
            val problem = if (stopped) null else tellingFailure(request.selection) { end = answer() }
            main.post {
                asked -= this
                end(if (problem == null) end else ReplyEnd.NoModel(problem))
            }
        }

        /** Stops it; what waits for its turn, or for the model to be loaded, ends at once. */
        override fun close() {
            stopped = true
            stopper.execute(::cancel)
            if (answered !== this) main.post { end(ReplyEnd.Stopped(null)) }
        }

        /** On the stopper only. */
        private fun cancel() = synchronized(lock) { if (answered === this) held.model?.cancel() }

        private fun answer(): ReplyEnd {
            held.use(request.selection, request.options)
            synchronized(lock) {
                if (stopped) return ReplyEnd.Stopped(null)
                answered = this
            }
            try {
                val end = try {
                    converse()
                } catch (error: ModelException) {
                    if (!held.onGpu || error.problem !is ModelProblem.Unusable) throw error
                    ReplyEnd.Failed(error.toString())
                }
                if (end !is ReplyEnd.Failed || !held.onGpu || text.isNotEmpty() || stopped) return end
                held.fallBack(request.selection)
                return converse()
            } finally {
                synchronized(lock) { answered = null }
            }
        }

        private fun converse(): ReplyEnd = try {
            checkNotNull(held.conversation).ask(request, { held.adapter(request.selection) }, ::add)
        } catch (error: RuntimeException) {
            ReplyEnd.Failed(error.toString())
        }

        /** Hears a piece on any thread. The listener hears at most once in [UPDATE_MILLIS], however fast the model is. */
        private fun add(piece: String) {
            text.append(piece)
            // Stop may have been pressed before the runtime had anything to cancel. Not on this thread: it is the runtime's own, and
            // another one that cancels may hold what it would wait for, while waiting for it.
            if (stopped && !stoppedAgain) {
                stoppedAgain = true
                stopper.execute(::cancel)
            }
            if (announced) return
            announced = true
            main.post(UPDATE_MILLIS) {
                announced = false
                if (!ended) listener.grew(text.toString())
            }
        }

        private fun end(end: ReplyEnd) {
            if (ended) return
            ended = true
            listener.ended(text.toString(), end)
        }
    }

    private companion object {
        const val UPDATE_MILLIS = 50L
    }
}
