package io.pocketgemma.chat.asking

import io.pocketgemma.chat.chat.ReplyStatus
import io.pocketgemma.chat.model.ReplyEnd

/** How a reply's end is shown. */
fun ReplyEnd.status(): ReplyStatus.Ended = when (this) {
    is ReplyEnd.Complete -> ReplyStatus.Complete(numbers)
    is ReplyEnd.Stopped -> ReplyStatus.Stopped(numbers)
    ReplyEnd.ContextFull -> ReplyStatus.ContextFull
    is ReplyEnd.NoModel -> ReplyStatus.NoModel(problem)
    is ReplyEnd.Failed -> ReplyStatus.Failed(detail)
}
