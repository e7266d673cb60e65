package io.pocketgemma.chat.storage

import android.content.ContentValues
import android.database.Cursor
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.model.ReplyMetrics
import io.pocketgemma.chat.text.truncated

/** The columns of a message without its text, in the order in which [storedMessage] reads them. */
internal const val MESSAGE_COLUMNS = "position, role, status, detail, answered_by, seconds_to_first_token, prompt_tokens, " +
    "prompt_tokens_per_second, tokens, tokens_per_second, memory_bytes"

private const val QUESTION = "question"
private const val REPLY = "reply"
private const val COMPLETE = "complete"
private const val STOPPED = "stopped"
private const val CONTEXT_FULL = "context full"
private const val NO_MODEL = "no model"
private const val FAILED = "failed"

/** The runtime's message may be long, and is for developers; in UTF-16 characters. */
private const val MAX_DETAIL_LENGTH = 4000

/** The message as it will be loaded: at its position, with a text that SQLite can store, and no longer in progress. */
internal fun Message.asStored(position: Int): Message = when (this) {
    is Message.Question -> copy(id = position.toLong(), text = text.storable())
    is Message.Reply -> copy(
        id = position.toLong(),
        text = text.storable(),
        status = when (status) {
            is ReplyStatus.Active -> ReplyStatus.Stopped(null)
            is ReplyStatus.Failed -> ReplyStatus.Failed(status.detail.storable().truncated(MAX_DETAIL_LENGTH))
            else -> status
        },
        answeredBy = answeredBy?.storable(),
    )
}

/** SQLite ends a text at U+0000, and misreads half a surrogate pair together with the character after it. */
internal fun String.storable(): String {
    if (indices.none { isUnstorable(it) }) return this
    return String(CharArray(length) { if (isUnstorable(it)) '\uFFFD' else this[it] })
}

private fun String.isUnstorable(index: Int): Boolean {
    val char = this[index]
    return when {
        char.isHighSurrogate() -> getOrNull(index + 1)?.isLowSurrogate() != true
        char.isLowSurrogate() -> getOrNull(index - 1)?.isHighSurrogate() != true
        else -> char == '\u0000'
    }
}

/** For a message that [asStored] returned. */
internal fun Message.toRow(conversation: Long) = ContentValues().apply {
    put("conversation", conversation)
    put("position", id)
    put("text", text)
    put("folded", SearchText.fold(text))
    when (val message = this@toRow) {
        is Message.Question -> put("role", QUESTION)
        is Message.Reply -> {
            put("role", REPLY)
            put("answered_by", message.answeredBy)
            put(message.status)
        }
    }
}

private fun ContentValues.put(status: ReplyStatus) {
    val (name, detail) = when (status) {
        is ReplyStatus.Complete -> COMPLETE to null
        is ReplyStatus.Active, is ReplyStatus.Stopped -> STOPPED to null
        ReplyStatus.ContextFull -> CONTEXT_FULL to null
        is ReplyStatus.NoModel -> NO_MODEL to status.problem.toRecord()
        is ReplyStatus.Failed -> FAILED to status.detail
    }
    put("status", name)
    put("detail", detail)
    val metrics = (status as? ReplyStatus.Ended)?.metrics ?: return
    put("seconds_to_first_token", metrics.secondsToFirstToken)
    put("prompt_tokens", metrics.promptTokens)
    put("prompt_tokens_per_second", metrics.promptTokensPerSecond)
    put("tokens", metrics.tokens)
    put("tokens_per_second", metrics.tokensPerSecond)
    put("memory_bytes", metrics.memoryBytes)
}

/** The message in the row at which [row] is positioned, whose columns start with [MESSAGE_COLUMNS]. */
internal fun storedMessage(row: Cursor, text: String): Message {
    val id = row.getLong(0)
    if (row.getString(1) == QUESTION) return Message.Question(id, text)
    val detail = row.getString(3).orEmpty()
    val status = when (row.getString(2)) {
        COMPLETE -> ReplyStatus.Complete(metrics(row))
        CONTEXT_FULL -> ReplyStatus.ContextFull
        NO_MODEL -> ReplyStatus.NoModel(recordedProblem(detail))
        FAILED -> ReplyStatus.Failed(detail)
        else -> ReplyStatus.Stopped(metrics(row))
    }
    return Message.Reply(id, text, status, answeredBy = row.getString(4))
}

private fun metrics(row: Cursor): ReplyMetrics? = if (row.isNull(8)) null else ReplyMetrics(
    secondsToFirstToken = row.getDouble(5),
    promptTokens = row.getInt(6),
    promptTokensPerSecond = row.getDouble(7),
    tokens = row.getInt(8),
    tokensPerSecond = row.getDouble(9),
    memoryBytes = if (row.isNull(10)) null else row.getLong(10),
)
