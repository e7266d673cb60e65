package io.pocketgemma.chat.ui

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.Message
import io.pocketgemma.chat.chat.ReplyStatus

/** Shows messages as bubbles, changing only the views whose message has changed, and follows the end unless the person scrolled up. */
class MessageList(private val scroll: ScrollView, private val list: LinearLayout, private val texts: Texts) {
    private var shown: List<Message> = emptyList()
    private var followsEnd = true
    private val slack = (scroll.resources.displayMetrics.density * SLACK_DP).toInt()

    init {
        // The end moves when a reply grows and when the keyboard takes half the screen.
        val follow = View.OnLayoutChangeListener { _, _, top, _, bottom, _, oldTop, _, oldBottom ->
            if (followsEnd && bottom - top != oldBottom - oldTop) scroll.scrollTo(0, end())
        }
        list.addOnLayoutChangeListener(follow)
        scroll.addOnLayoutChangeListener(follow)
        scroll.setOnScrollChangeListener { _, _, y, _, _ -> followsEnd = y >= end() - slack }
    }

    private fun end() = maxOf(0, list.height - scroll.height)

    fun render(messages: List<Message>) {
        if (messages === shown) return
        val same = shown.zip(messages).takeWhile { (old, new) -> old.id == new.id }.count()
        list.removeViews(same, list.childCount - same)
        for (index in 0 until same) if (shown[index] != messages[index]) bind(list.getChildAt(index), messages[index])
        for (message in messages.drop(same)) {
            list.addView(inflate(message).also { bind(it, message) })
            followsEnd = true
        }
        shown = messages
    }

    private fun inflate(message: Message): View {
        val layout = if (message is Message.Question) R.layout.question else R.layout.reply
        return LayoutInflater.from(list.context).inflate(layout, list as ViewGroup, false)
    }

    private fun bind(view: View, message: Message) {
        when (message) {
            is Message.Question -> (view as TextView).apply {
                text = message.text
                contentDescription = resources.getString(R.string.you_said, message.text)
            }
            is Message.Reply -> bindReply(view, message)
        }
    }

    private fun bindReply(view: View, reply: Message.Reply) {
        val waiting = reply.status is ReplyStatus.Active && reply.text.isEmpty()
        view.findViewById<View>(R.id.reply_waiting).visibility = if (waiting) View.VISIBLE else View.GONE
        view.findViewById<TextView>(R.id.reply_text).apply {
            visibility = if (reply.text.isEmpty()) View.GONE else View.VISIBLE
            text = reply.text
            contentDescription = resources.getString(R.string.model_said, reply.text)
            // Read out once, when it is whole.
            accessibilityLiveRegion =
                if (reply.status is ReplyStatus.Ended) View.ACCESSIBILITY_LIVE_REGION_POLITE else View.ACCESSIBILITY_LIVE_REGION_NONE
        }
        view.findViewById<TextView>(R.id.reply_caption).apply {
            text = texts.caption(reply.status, reply.text.isEmpty())
            visibility = if (text.isNullOrEmpty()) View.GONE else View.VISIBLE
            val failed = reply.status is ReplyStatus.Failed || reply.status is ReplyStatus.ContextFull
            setTextColor(context.getColor(if (failed) R.color.warning else R.color.text_dim))
        }
    }

    private companion object {
        const val SLACK_DP = 48
    }
}
