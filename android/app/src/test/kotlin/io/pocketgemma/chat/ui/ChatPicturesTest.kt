package io.pocketgemma.chat.ui

import android.app.Application
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.chat.ReplyStatus
import io.pocketgemma.chat.history.ConversationLine
import io.pocketgemma.chat.history.HistoryState
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Selection
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Pictures of the chat in its states, to be looked at. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class ChatPicturesTest {
    private val ready = ModelState.Ready(Selection(SampleLibrary.tuned.id), Backend.CPU)

    private fun stage(chat: ChatState, model: ModelState = ready, library: LibraryState = SampleLibrary.state): PageStage {
        val stores = RecordingStores(library)
        stores.chat.become(chat)
        stores.model.dispatch(ModelEvent.Changed(model))
        return PageStage(stores, ::ChatPage)
    }

    @Test
    fun conversation() = shootAll("chat") { stage(SampleChat.short) }

    @Test
    fun empty() = shootAll("empty") { stage(ChatState(conversation = 1, loaded = true)) }

    @Test
    fun states() {
        val q = SampleChat.question(0, "Tell me a story")
        fun shoot(name: String, chat: ChatState, model: ModelState = ready, library: LibraryState = SampleLibrary.state) =
            stage(chat, model, library).shoot("state-$name")
        shoot("waiting", SampleChat.of(q, SampleChat.reply(1, "", ReplyStatus.Active())).copy(draft = "meanwhile"), ModelState.Loading(0.4))
        shoot("growing", SampleChat.of(q, SampleChat.reply(1, "Once upon a **ti", ReplyStatus.Active())))
        shoot("stopped", SampleChat.of(q, SampleChat.reply(1, "Once upon a time", ReplyStatus.Stopped(SampleChat.numbers))))
        shoot("full", SampleChat.of(q, SampleChat.reply(1, "", ReplyStatus.ContextFull)))
        shoot("summarising", SampleChat.of(q, SampleChat.reply(1, "", ReplyStatus.ContextFull)).copy(goingOn = 5))
        shoot("failed", SampleChat.of(q, SampleChat.reply(1, "", ReplyStatus.Failed("INTERNAL: 13"))))
        shoot("editing", SampleChat.of(q, SampleChat.reply(1, "Once.")).copy(editing = true, draft = q.text))
        shoot("carried", SampleChat.of(q, SampleChat.reply(1, "Once.")).copy(carried = "We spoke of gold."))
        val problem = ModelProblem.TooLarge(900_000_000, 700_000_000, tryAnyway = true)
        shoot("problem", ChatState(1, loaded = true), ModelState.Failed(ready.selection, problem))
        shoot("problem-in-chat", SampleChat.of(q, SampleChat.reply(1, "", ReplyStatus.NoModel(problem))), ModelState.Failed(ready.selection, problem))
        shoot("no-model", ChatState(1, loaded = true), ModelState.Asleep, LibraryState(loaded = true))
        shoot("switched", SampleChat.of(q, SampleChat.reply(1, "Once."), SampleChat.question(2, "And now?"), SampleChat.reply(3, "Twice.", by = "Gemma 3 270M · Poet")))
    }

    @Test
    fun conversations() = shootAll("chats") {
        val stores = RecordingStores(SampleLibrary.state)
        val now = System.currentTimeMillis()
        val hour = 3_600_000L
        stores.history.become(
            HistoryState(
                loaded = true,
                conversations = listOf(
                    ConversationLine(1, "How heavy is gold?", "The atomic mass of gold is 197.", now, 4),
                    ConversationLine(2, "What is element 27?", "That is cobalt.", now - 26 * hour, 2),
                    ConversationLine(3, "A longer title that somebody gave to a conversation about metals", "It does not rust, it is dense, and it is found in rivers as small grains.", now - 24 * 30 * hour, 12),
                ),
            ),
        )
        PageStage(stores, ::ChatsPage)
    }
}
