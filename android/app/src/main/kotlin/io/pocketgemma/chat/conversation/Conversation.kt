package io.pocketgemma.chat.conversation

import kotlin.random.Random

/** A stored conversation. Messages are numbered from 0; a reply that was under way when it was stored is Stopped when it is read. */
data class Conversation(
    /** Random, chosen by the one who begins it. */
    val id: Long,
    val title: String,
    val messages: List<Message> = emptyList(),
    val carried: String = "",
    val draft: String = "",
    val scroll: ScrollPlace? = null,
)

/** An id for a conversation that begins now. */
fun newConversationId(): Long = Random.nextLong(1, Long.MAX_VALUE)
