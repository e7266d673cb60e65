package io.pocketgemma.chat.model

import io.pocketgemma.chat.store.MainThread
import java.util.concurrent.Executor

/**
 * The host that loads models from a [ModelSource] and runs one task at a time on [worker].
 *
 * @param worker a single thread, which does all work of the model.
 * @param stopper another thread, which stops that work: the runtime may take a while to react, and the main thread cannot wait.
 */
class RuntimeHost(
    source: ModelSource,
    private val worker: Executor,
    private val stopper: Executor,
    private val main: MainThread,
) : ModelStore() {
    private val loaded = LoadedModel(source) { state -> main.post { dispatch(ModelEvent.Changed(state)) } }

    // Requests that have not ended. Main thread.
    private val asked = LinkedHashSet<ActiveRequest>()
    private var closed = false

    // Number of the latest request; preparations (loading, freeing) are skipped if a newer one follows.
    @Volatile private var wishes = 0L

    // Guards the request in progress: a stop must not affect another request's reply.
    private val lock = Any()
    @Volatile private var answered: ActiveRequest? = null

    override fun prepare(selection: Selection, options: EngineOptions) {
        // The user's confirmation counts even if another request comes before the loading.
        if (options.ignoreLowMemory && !closed) worker.execute { loaded.allow(selection.model) }
        laterUnlessChanged {
            tellingFailure(selection) {
                loaded.use(selection, options)
                loaded.adapter(selection)
            }
        }
    }

    override fun ask(request: Request, listener: ReplyListener): AutoCloseable {
        wishes++
        val active = ActiveRequest(request, listener)
        if (closed) {
            active.close()
        } else {
            asked += active
            worker.execute(active)
        }
        return active
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
        if (loaded.free()) main.post { dispatch(ModelEvent.Changed(ModelState.Asleep)) }
    }

    /** Runs an action that needs a model; if there is none, the state reports it. Returns the problem. */
    private fun tellingFailure(selection: Selection, task: () -> Unit): ModelProblem? {
        val problem = try {
            task()
            return null
        } catch (error: ModelException) {
            error.problem
        } catch (error: Throwable) {
            // A library that fails to load throws an Error, not an Exception; the user still gets a message.
            ModelProblem.Unusable(error.toString())
        }
        main.post { dispatch(ModelEvent.Changed(ModelState.Failed(selection, problem))) }
        return problem
    }

    /** A pending request. [run] on the worker, [close] on the main thread. */
    private inner class ActiveRequest(private val request: Request, private val listener: ReplyListener) : Runnable, AutoCloseable {
        private val text = StringBuffer()
        @Volatile private var stopped = false

        // Used by the threads that deliver pieces, one after another.
        @Volatile private var stoppedAgain = false

        // Whether the listener will receive the latest text.
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

        /** Stops the request; one that waits for its turn, or for the model to be loaded, ends immediately. */
        override fun close() {
            stopped = true
            stopper.execute(::cancel)
            if (answered !== this) main.post { end(ReplyEnd.Stopped(null)) }
        }

        /** On the stopper thread only. */
        private fun cancel() = synchronized(lock) { if (answered === this) loaded.model?.cancel() }

        private fun answer(): ReplyEnd {
            loaded.use(request.selection, request.options)
            synchronized(lock) {
                if (stopped) return ReplyEnd.Stopped(null)
                answered = this
            }
            try {
                val end = try {
                    converse()
                } catch (error: ModelException) {
                    if (!loaded.onGpu || error.problem !is ModelProblem.Unusable) throw error
                    ReplyEnd.Failed(error.toString())
                }
                if (end !is ReplyEnd.Failed || !loaded.onGpu || text.isNotEmpty() || stopped) return end
                loaded.fallBack(request.selection)
                return converse()
            } finally {
                synchronized(lock) { answered = null }
            }
        }

        private fun converse(): ReplyEnd = try {
            checkNotNull(loaded.conversation).ask(request, { loaded.adapter(request.selection) }, ::add)
        } catch (error: RuntimeException) {
            ReplyEnd.Failed(error.toString())
        }

        /** Receives a piece on any thread. The listener is called at most once per [UPDATE_MILLIS], however fast the model is. */
        private fun add(piece: String) {
            text.append(piece)
            // The user may have stopped the request before the runtime had anything to cancel. Not on this thread: it belongs to the
            // runtime, and another thread that cancels may hold a lock that this one would wait for, while waiting for this one.
            if (stopped && !stoppedAgain) {
                stoppedAgain = true
                stopper.execute(::cancel)
            }
            if (announced) return
            announced = true
            main.post(UPDATE_MILLIS) {
                announced = false
                if (!ended) listener.onText(text.toString())
            }
        }

        private fun end(end: ReplyEnd) {
            if (ended) return
            ended = true
            listener.onEnd(text.toString(), end)
        }
    }

    private companion object {
        const val UPDATE_MILLIS = 50L
    }
}
