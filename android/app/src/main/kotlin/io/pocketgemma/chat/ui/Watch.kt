package io.pocketgemma.chat.ui

import io.pocketgemma.chat.store.Store

/** What a page observes while it is in front. */
class Watch : AutoCloseable {
    private val handles = mutableListOf<AutoCloseable>()

    fun <State : Any> on(store: Store<State, *>, render: (State) -> Unit) {
        handles += store.observe(render)
    }

    override fun close() {
        handles.forEach { it.close() }
        handles.clear()
    }
}
