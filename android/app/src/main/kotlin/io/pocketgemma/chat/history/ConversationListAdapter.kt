package io.pocketgemma.chat.history

import android.content.Context
import android.text.format.DateUtils
import android.view.View
import android.view.ViewGroup
import android.view.ViewGroup.LayoutParams.MATCH_PARENT
import android.view.ViewGroup.LayoutParams.WRAP_CONTENT
import android.widget.BaseAdapter
import android.widget.LinearLayout
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.ui.inflate
import java.util.Calendar

/** The rows of the conversation list. */
class ConversationListAdapter(
    private val context: Context,
    private val open: (ConversationListItem) -> Unit,
    private val more: (ConversationListItem, View) -> Unit,
) : BaseAdapter() {
    private var lines: List<ConversationListItem> = emptyList()
    private var openOne: Long? = null

    fun show(lines: List<ConversationListItem>, openOne: Long) {
        if (lines == this.lines && openOne == this.openOne) return
        this.lines = lines
        this.openOne = openOne
        notifyDataSetChanged()
    }

    override fun getCount(): Int = lines.size

    override fun getItem(position: Int): ConversationListItem = lines[position]

    override fun getItemId(position: Int): Long = lines[position].id

    override fun hasStableIds(): Boolean = true

    override fun getView(position: Int, old: View?, parent: ViewGroup): View {
        val row = old ?: newRow(parent)
        val line = lines[position]
        row.findViewById<TextView>(R.id.chat_title).text = line.title.ifEmpty { context.getString(R.string.untitled) }
        row.findViewById<TextView>(R.id.chat_snippet).text = line.snippet
        row.findViewById<TextView>(R.id.chat_date).text = whenSaid(line.changedMillis)
        val body = row.findViewById<View>(R.id.chat_row)
        body.isActivated = line.id == openOne
        body.contentDescription = describe(line)
        val button = row.findViewById<View>(R.id.chat_more)
        body.setOnClickListener { open(line) }
        body.setOnLongClickListener {
            more(line, button)
            true
        }
        button.contentDescription = context.getString(R.string.more_about, line.title)
        button.setOnClickListener { more(line, it) }
        return row
    }

    private fun newRow(parent: ViewGroup): View {
        val row = inflate(R.layout.chats_row, parent)
        if (context.resources.configuration.fontScale <= LARGE) return row
        row.findViewById<LinearLayout>(R.id.chat_top).orientation = LinearLayout.VERTICAL
        for (id in intArrayOf(R.id.chat_title, R.id.chat_date)) {
            row.findViewById<TextView>(id).layoutParams = LinearLayout.LayoutParams(MATCH_PARENT, WRAP_CONTENT)
        }
        for (id in intArrayOf(R.id.chat_title, R.id.chat_snippet)) row.findViewById<TextView>(id).maxLines = Int.MAX_VALUE
        return row
    }

    private fun describe(line: ConversationListItem): String {
        val words = context.getString(R.string.chat_described, line.title, whenSaid(line.changedMillis), line.snippet)
        return if (line.id == openOne) context.getString(R.string.two_parts, context.getString(R.string.open_now), words) else words
    }

    /** As in messengers: the time for today, the day for this week, otherwise the date. */
    private fun whenSaid(millis: Long): String {
        val midnight = Calendar.getInstance().apply { for (field in CLOCK) set(field, 0) }.timeInMillis
        val format = when {
            millis >= midnight -> DateUtils.FORMAT_SHOW_TIME
            millis >= midnight - DAYS_BY_NAME * DateUtils.DAY_IN_MILLIS -> DateUtils.FORMAT_SHOW_WEEKDAY or DateUtils.FORMAT_ABBREV_WEEKDAY
            else -> DateUtils.FORMAT_SHOW_DATE or DateUtils.FORMAT_ABBREV_MONTH
        }
        return DateUtils.formatDateTime(context, millis, format)
    }

    private companion object {
        val CLOCK = intArrayOf(Calendar.HOUR_OF_DAY, Calendar.MINUTE, Calendar.SECOND, Calendar.MILLISECOND)
        const val DAYS_BY_NAME = 6

        /** From this font scale, two texts do not fit side by side. */
        const val LARGE = 1.3f
    }
}
