package io.pocketgemma.chat.chat

import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.markdown.MarkdownView
import io.pocketgemma.chat.markdown.spokenText
import io.pocketgemma.chat.ui.inflate
import io.pocketgemma.chat.ui.onClick
import io.pocketgemma.chat.ui.showIf

/** A reply as wide as the column, with its status and actions. */
class ReplyView(parent: ViewGroup, private val texts: ChatTexts, private val actions: RowActions) : RowView<Row.Reply> {
    override val view: View = inflate(R.layout.reply, parent)
    private val who: TextView = view.findViewById(R.id.reply_who)
    private val waiting: View = view.findViewById(R.id.reply_waiting)
    private val text: View = view.findViewById(R.id.reply_text)
    private val body: MarkdownView = view.findViewById(R.id.reply_body)
    private val caption: TextView = view.findViewById(R.id.reply_caption)
    private val offer: View = view.findViewById(R.id.context_offer)
    private val row: View = view.findViewById(R.id.reply_actions)
    private val copy: View = view.findViewById(R.id.copy_reply)
    private val share: View = view.findViewById(R.id.share_reply)
    private val regenerate: View = view.findViewById(R.id.regenerate)
    private val more: View = view.findViewById(R.id.more_reply)
    private var bound: Row.Reply? = null

    init {
        body.onCopy = actions::copy
        copy.setOnClickListener { bound?.let { actions.copy(it.reply.text) } }
        share.setOnClickListener { bound?.let(actions::share) }
        regenerate.setOnClickListener { actions.regenerate() }
        more.setOnClickListener { anchor -> bound?.let { actions.more(it, anchor) } }
        view.onClick(R.id.go_on_summary) { actions.continueWithSummary() }
        view.onClick(R.id.go_on_new) { actions.continueInNewChat() }
    }

    override fun bind(row: Row.Reply) {
        val before = bound?.reply?.takeIf { it.id == row.reply.id }
        bound = row
        val reply = row.reply
        val isActive = reply.status is ReplyStatus.Active
        who.showIf(row.newModelName != null)
        who.text = row.newModelName?.let { who.resources.getString(R.string.now_answering, it) }
        waiting.showIf(isActive && reply.text.isEmpty())
        text.showIf(reply.text.isNotEmpty())
        val wasActive = before?.status is ReplyStatus.Active
        if (before?.text != reply.text || wasActive != isActive) body.show(reply.text, streaming = isActive)
        bindCaption(row)
        offer.showIf(row.offersNewChat)
        copy.showIf(reply.text.isNotEmpty())
        share.showIf(reply.text.isNotEmpty())
        regenerate.showIf(row.canRegenerate)
        more.showIf(reply.text.isNotEmpty())
        this.row.showIf(!isActive && (reply.text.isNotEmpty() || row.canRegenerate))
        if (wasActive && !isActive) announce(reply)
    }

    private fun bindCaption(row: Row.Reply) {
        val words = texts.caption(row)
        caption.showIf(words != null)
        if (caption.text.toString() != words.orEmpty()) caption.text = words
        val isBad = row.reply.status.let { it is ReplyStatus.Failed || it is ReplyStatus.NoModel || it == ReplyStatus.ContextFull }
        caption.setTextColor(caption.context.getColor(if (isBad) R.color.warning else R.color.text_dim))
    }

    /** Announced once when it is complete: a live region would start over with every word. */
    private fun announce(reply: Message.Reply) {
        val words = if (reply.text.isEmpty()) caption.text else view.resources.getString(R.string.model_said, spokenText(reply.text))
        view.announceForAccessibility(words)
    }
}
