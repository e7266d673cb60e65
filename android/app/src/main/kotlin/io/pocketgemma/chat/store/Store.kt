package io.pocketgemma.chat.store

/**
 * A state that only events change: [dispatch] takes an event, [reduce] computes the next state, the observers receive it, and [act]
 * performs the side effects of the event (work on other threads, whose result comes back as another event).
 *
 * Main thread only.
 */
abstract class Store<State : Any, Event : Any>(initial: State) {
    var state: State = initial
        private set

    private val observers = LinkedHashSet<(State) -> Unit>()

    /** Calls the observer immediately with the current state and then with every new one, until the returned handle is closed. */
    fun observe(observer: (State) -> Unit): AutoCloseable {
        observers += observer
        observer(state)
        return AutoCloseable { observers -= observer }
    }

    /** An event that changes nothing (a late reply, a question while a reply is in progress) has no side effects either. */
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
