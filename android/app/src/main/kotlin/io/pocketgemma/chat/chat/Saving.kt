package io.pocketgemma.chat.chat

import io.pocketgemma.chat.store.MainThread

/** When the conversation is saved by itself: not with each letter that is written, and not only at the end. */
internal class Saving(private val main: MainThread, private val save: () -> Unit) {
    private var touches = 0
    private var ticking = false

    /** The person writes or scrolls: once that rests. */
    fun whenRested() {
        val touch = ++touches
        main.post(REST_MILLIS) { if (touch == touches) save() }
    }

    /** A reply grows: now and then. */
    fun whileGrowing() {
        if (ticking) return
        ticking = true
        main.post(GROWTH_MILLIS) {
            ticking = false
            save()
        }
    }

    private companion object {
        const val REST_MILLIS = 500L
        const val GROWTH_MILLIS = 2000L
    }
}
