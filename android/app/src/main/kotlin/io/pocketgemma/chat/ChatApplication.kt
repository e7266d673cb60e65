package io.pocketgemma.chat

import android.app.Application

/** Holds the stores for as long as the process lives, whatever happens to the screen. */
class ChatApplication : Application(), StoresOwner {
    override lateinit var stores: Stores
}
