package io.pocketgemma.chat.ui

import android.content.Context
import android.text.format.DateUtils
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.history.ConversationLine

/** The rows of the list of conversations. */
class ConversationAdapter(
    private val context: Context,
    private val open: (ConversationLine) -> Unit,
    private val more: (ConversationLine, View) -> Unit,
) : BaseAdapter() {
    private var lines: List<ConversationLine> = emptyList()
    private var openOne: Long? = null

    fun show(lines: List<ConversationLine>, openOne: Long) {
        if (lines == this.lines && openOne == this.openOne) return
        this.lines = lines
        this.openOne = openOne
        notifyDataSetChanged()
    }

    override fun getCount(): Int = lines.size

    override fun getItem(position: Int): ConversationLine = lines[position]

    override fun getItemId(position: Int): Long = lines[position].id

    override fun hasStableIds(): Boolean = true

    override fun getView(position: Int, old: View?, parent: ViewGroup): View {
        val row = old ?: inflate(R.layout.chats_row, parent)
        val line = lines[position]
        row.findViewById<TextView>(R.id.chat_title).text = line.title.ifEmpty { context.getString(R.string.untitled) }
        row.findViewById<TextView>(R.id.chat_snippet).text = line.snippet
        row.findViewById<TextView>(R.id.chat_date).text = whenSaid(line.changedMillis)
        val body = row.findViewById<View>(R.id.chat_row)
        body.isActivated = line.id == openOne
        body.contentDescription = describe(line)
        body.setOnClickListener { open(line) }
        row.findViewById<View>(R.id.chat_more).apply {
            contentDescription = context.getString(R.string.more_about, line.title)
            setOnClickListener { more(line, it) }
        }
        return row
    }

    private fun describe(line: ConversationLine): String {
        val words = context.getString(R.string.chat_described, line.title, whenSaid(line.changedMillis), line.snippet)
        return if (line.id == openOne) context.getString(R.string.two_parts, context.getString(R.string.open_now), words) else words
    }

    /** As messengers do: the time today, the day this week, else the date. */
    private fun whenSaid(millis: Long): String = when {
        DateUtils.isToday(millis) -> DateUtils.formatDateTime(context, millis, DateUtils.FORMAT_SHOW_TIME)
        System.currentTimeMillis() - millis in 0..DateUtils.WEEK_IN_MILLIS - DateUtils.DAY_IN_MILLIS ->
            DateUtils.formatDateTime(context, millis, DateUtils.FORMAT_SHOW_WEEKDAY or DateUtils.FORMAT_ABBREV_WEEKDAY)
        else -> DateUtils.formatDateTime(context, millis, DateUtils.FORMAT_SHOW_DATE or DateUtils.FORMAT_ABBREV_MONTH)
    }
}
