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
enum class ExportTarget { SHARE, SAVE }

/** A conversation as a file to share or save. */
data class Export(val fileName: String, val format: ExportFormat, val text: String)

/** Labels in an exported conversation. */
data class ExportLabels(
    /** The title of a conversation without one. */
    val untitled: String,
    val you: String,
    /** Label of a reply for which no model name was recorded. */
    val reply: String,
    val summary: String,
    val stopped: String,
    val noReply: String,
) {
    constructor(resources: Resources) : this(
        untitled = resources.getString(R.string.export_untitled),
        you = resources.getString(R.string.export_you),
        reply = resources.getString(R.string.export_reply),
        summary = resources.getString(R.string.export_carried),
        stopped = resources.getString(R.string.export_stopped),
        noReply = resources.getString(R.string.export_no_reply),
    )
}

/** A conversation as a file. [date]: the formatted time of the last message. */
internal fun exported(conversation: Conversation, format: ExportFormat, date: String, labels: ExportLabels): Export {
    val text = if (format == ExportFormat.MARKDOWN) markdown(conversation, date, labels) else plainText(conversation, date, labels)
    return Export(exportFileName(conversation.title, format.extension), format, text)
}

private fun markdown(conversation: Conversation, date: String, labels: ExportLabels): String = paragraphs {
    add("# " + conversation.title.ifBlank { labels.untitled }.escaped())
    add(date)
    if (conversation.summary.isNotBlank()) {
        add("## ${labels.summary.escaped()}")
        add(conversation.summary.trim().withClosedCode())
    }
    for (message in conversation.messages) {
        add("## " + message.speaker(labels).escaped())
        if (message.text.isNotBlank()) add(message.text.trim('\n').withClosedCode())
        message.remark(labels)?.let { add("*${it.escaped()}*") }
    }
}

private fun plainText(conversation: Conversation, date: String, labels: ExportLabels): String = paragraphs {
    val title = conversation.title.ifBlank { labels.untitled }
    add(title + "\n" + date)
    if (conversation.summary.isNotBlank()) add(labels.summary + ":\n" + conversation.summary.trim())
    for (message in conversation.messages) {
        val remark = message.remark(labels)?.let { "[$it]" }
        add(listOfNotNull(message.speaker(labels) + ":", message.text.trim('\n').ifBlank { null }, remark).joinToString("\n"))
    }
}

private fun paragraphs(build: MutableList<String>.() -> Unit): String = buildList(build).joinToString("\n\n", postfix = "\n")

private fun Message.speaker(labels: ExportLabels): String = when (this) {
    is Message.Question -> labels.you
    is Message.Reply -> answeredBy ?: labels.reply
}

/** The status of a reply that did not complete. */
private fun Message.remark(labels: ExportLabels): String? = when ((this as? Message.Reply)?.status) {
    null, is ReplyStatus.Complete -> null
    is ReplyStatus.Active, is ReplyStatus.Stopped -> labels.stopped
    ReplyStatus.ContextFull, is ReplyStatus.NoModel, is ReplyStatus.Failed -> labels.noReply
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
