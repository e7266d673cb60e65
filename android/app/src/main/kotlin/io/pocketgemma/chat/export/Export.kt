package io.pocketgemma.chat.export

import android.content.res.Resources
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus

enum class ExportFormat(val mimeType: String, val extension: String) {
    MARKDOWN("text/markdown", "md"),
    TEXT("text/plain", "txt"),
}

/** Destination of an export: the system's share sheet, or a file. */
enum class ExportWay { SHARE, SAVE }

/** A conversation as a file to share or save. */
data class Export(val fileName: String, val format: ExportFormat, val text: String)

/** Labels in an exported conversation. */
data class ExportWords(
    /** The title of a conversation without one. */
    val untitled: String,
    val you: String,
    /** Label of a reply for which no model name was recorded. */
    val reply: String,
    val carried: String,
    val stopped: String,
    val noReply: String,
) {
    constructor(resources: Resources) : this(
        untitled = resources.getString(R.string.export_untitled),
        you = resources.getString(R.string.export_you),
        reply = resources.getString(R.string.export_reply),
        carried = resources.getString(R.string.export_carried),
        stopped = resources.getString(R.string.export_stopped),
        noReply = resources.getString(R.string.export_no_reply),
    )
}

/** A conversation as a file. [date]: the formatted time of the last message. */
internal fun exported(conversation: Conversation, format: ExportFormat, date: String, words: ExportWords): Export {
    val text = if (format == ExportFormat.MARKDOWN) markdown(conversation, date, words) else plainText(conversation, date, words)
    return Export(exportFileName(conversation.title, format.extension), format, text)
}

private fun markdown(conversation: Conversation, date: String, words: ExportWords): String = paragraphs {
    add("# " + conversation.title.ifBlank { words.untitled }.escaped())
    add(date)
    if (conversation.carried.isNotBlank()) {
        add("## ${words.carried.escaped()}")
        add(conversation.carried.trim().withClosedCode())
    }
    for (message in conversation.messages) {
        add("## " + message.speaker(words).escaped())
        if (message.text.isNotBlank()) add(message.text.trim('\n').withClosedCode())
        message.remark(words)?.let { add("*${it.escaped()}*") }
    }
}

private fun plainText(conversation: Conversation, date: String, words: ExportWords): String = paragraphs {
    val title = conversation.title.ifBlank { words.untitled }
    add(title + "\n" + date)
    if (conversation.carried.isNotBlank()) add(words.carried + ":\n" + conversation.carried.trim())
    for (message in conversation.messages) {
        val remark = message.remark(words)?.let { "[$it]" }
        add(listOfNotNull(message.speaker(words) + ":", message.text.trim('\n').ifBlank { null }, remark).joinToString("\n"))
    }
}

private fun paragraphs(build: MutableList<String>.() -> Unit): String = buildList(build).joinToString("\n\n", postfix = "\n")

private fun Message.speaker(words: ExportWords): String = when (this) {
    is Message.Question -> words.you
    is Message.Reply -> answeredBy ?: words.reply
}

/** The status of a reply that did not complete. */
private fun Message.remark(words: ExportWords): String? = when ((this as? Message.Reply)?.status) {
    null, is ReplyStatus.Complete -> null
    is ReplyStatus.Active, is ReplyStatus.Stopped -> words.stopped
    ReplyStatus.ContextFull, is ReplyStatus.NoModel, is ReplyStatus.Failed -> words.noReply
}

/** Escaped as plain text within a line of Markdown (CommonMark 0.31, 2.4). */
private fun String.escaped(): String = replace(MARKS) { "\\" + it.value }

private val MARKS = Regex("""[\\`*_\[\]<>#|~]""")

/** A reply that was stopped within a code block must not turn all following text into code. */
private fun String.withClosedCode(): String {
    var open: String? = null
    for (line in lines()) {
        val fence = FENCE.find(line) ?: continue
        val (marks, rest) = fence.destructured
        val opened = open
        if (opened == null) {
            open = marks.takeIf { it[0] == '~' || '`' !in rest }
        } else if (marks[0] == opened[0] && marks.length >= opened.length && rest.isBlank()) {
            open = null
        }
    }
    return if (open == null) this else trimEnd('\n') + "\n" + open
}

private val FENCE = Regex("""^ {0,3}(`{3,}|~{3,})(.*)$""")
