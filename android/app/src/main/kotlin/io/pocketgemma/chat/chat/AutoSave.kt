package io.pocketgemma.chat.chat

import io.pocketgemma.chat.store.MainThread

/** When the conversation is saved automatically: not with every character, and not only at the end. */
internal class AutoSave(private val main: MainThread, private val save: () -> Unit) {
    private var touches = 0
    private var ticking = false

    /** After the user pauses typing or scrolling. */
    fun afterPause() {
        val touch = ++touches
        main.post(REST_MILLIS) { if (touch == touches) save() }
    }

    /** From time to time while a reply grows. */
    fun whileReplying() {
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
