package io.pocketgemma.chat.store

/**
 * A state that only events change: an event goes in by [dispatch], [reduce] makes the next state of it, the observers hear it, and
 * [act] does what the event asks for (work on other threads, whose outcome comes back as another event).
 *
 * Main thread only.
 */
abstract class Store<State : Any, Event : Any>(initial: State) {
    var state: State = initial
        private set

    private val observers = LinkedHashSet<(State) -> Unit>()

    /** Hears the present state at once and every new one, until the returned handle is closed. */
    fun observe(observer: (State) -> Unit): AutoCloseable {
        observers += observer
        observer(state)
        return AutoCloseable { observers -= observer }
    }

    /** An event that changes nothing (a late reply, a question while one is answered) has no effect either. */
    fun dispatch(event: Event) {
        val before = state
        val after = reduce(before, event)
        if (after == before) return
        state = after
        observers.toList().forEach { it(after) }
        act(before, after, event)
    }

    /** Pure. */
    protected abstract fun reduce(state: State, event: Event): State

    protected open fun act(before: State, after: State, event: Event) = Unit
}
