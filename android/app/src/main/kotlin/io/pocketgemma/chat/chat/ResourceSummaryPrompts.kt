package io.pocketgemma.chat.chat

import android.content.res.Resources
import io.pocketgemma.chat.R

/** In the phone's language at the time of use. */
class ResourceSummaryPrompts(private val resources: Resources) : SummaryPrompts {
    override val summaryRequest: String get() = resources.getString(R.string.chat_summary_request)

    override val summaryPreface: String get() = resources.getString(R.string.chat_carried_preface)

    override fun turn(question: String, reply: String): String = resources.getString(R.string.chat_carried_turn, question, reply)
}
