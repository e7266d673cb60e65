package io.pocketgemma.chat.fake

import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.model.ReplyMetrics

/** Conversations for screenshots. */
object SampleChat {
    val metrics = ReplyMetrics(0.12, 34, 812.0, 56, 42.3, 181_000_000)

    const val MARKDOWN = "**Gold** is a *dense* metal. What sets it apart:\n\n- symbol `Au`, from Latin *aurum*\n- atomic mass **197**\n" +
        "- it does not rust\n\n| metal | symbol | mass |\n|---|---|---|\n| gold | Au | 197 |\n| silver | Ag | 108 |\n\n" +
        "To look it up yourself:\n\n```python\nelements = {\"Au\": 196.97}\nprint(elements[\"Au\"])\n```"

    fun of(vararg messages: Message, title: String = "How heavy is gold?") =
        ChatState(conversation = 1, loaded = true, title = title, messages = messages.toList(), nextId = 1_000)

    fun question(id: Long, text: String) = Message.Question(id, text)

    fun reply(id: Long, text: String, status: ReplyStatus = ReplyStatus.Complete(metrics), by: String? = "Pocket Science") =
        Message.Reply(id, text, status, by)

    val short = of(
        question(0, "What is element 27?"),
        reply(1, "That is cobalt."),
        question(2, "How heavy is gold, and what is it good for? I would like to know it in some detail."),
        reply(3, MARKDOWN),
    )

    fun long(turns: Int) = of(
        *(0 until turns).flatMap {
            listOf(question(2L * it, "Question $it"), reply(2L * it + 1, "Reply $it. " + "It has a few words to say. ".repeat(it % 7 + 1)))
        }.toTypedArray(),
    )
}
