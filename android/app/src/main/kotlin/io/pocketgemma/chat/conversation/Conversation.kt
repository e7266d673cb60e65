package io.pocketgemma.chat.conversation

import kotlin.random.Random

/** A stored conversation. Messages are numbered from 0; a reply that was in progress when it was stored is Stopped when it is loaded. */
data class Conversation(
    /** Random; the code that starts the conversation creates it. */
    val id: Long,
    val title: String,
    val messages: List<Message> = emptyList(),
    val summary: String = "",
    val draft: String = "",
    val scroll: ScrollPosition? = null,
)

/** An id for a new conversation. */
fun newConversationId(): Long = Random.nextLong(1, Long.MAX_VALUE)
