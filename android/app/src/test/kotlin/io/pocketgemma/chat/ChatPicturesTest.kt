package io.pocketgemma.chat

import android.app.Application
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Looper
import android.view.View
import android.view.WindowManager
import android.view.WindowManagerGlobal
import io.pocketgemma.chat.chat.ChatPage
import io.pocketgemma.chat.chat.ChatState
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleChat
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.fake.shootAll
import io.pocketgemma.chat.history.HistoryState
import io.pocketgemma.chat.library.LibraryState
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.ui.Screen
import io.pocketgemma.chat.ui.showTitleDialog
import java.io.File
import java.time.Duration
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Screenshots of the chat in its states, for review. */
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
        shoot("stopped", SampleChat.of(q, SampleChat.reply(1, "Once upon a time", ReplyStatus.Stopped(SampleChat.metrics))))
        val tooMuch = arrayOf(SampleChat.question(2, "And then?"), SampleChat.reply(3, "", ReplyStatus.ContextFull))
        shoot("too-long", SampleChat.of(*tooMuch))
        val remembering = SampleLibrary.state.copy(models = SampleLibrary.state.models.map { it.copy(manifest = null) })
        shoot("full", SampleChat.of(q, SampleChat.reply(1, "Once."), *tooMuch), library = remembering)
        shoot("summarising", SampleChat.of(q, SampleChat.reply(1, "Once."), *tooMuch).copy(summaryFor = 5))
        shoot("failed", SampleChat.of(q, SampleChat.reply(1, "", ReplyStatus.Failed("INTERNAL: 13"))))
        shoot("editing", SampleChat.of(q, SampleChat.reply(1, "Once.")).copy(editing = true, draft = q.text))
        shoot("carried", SampleChat.of(q, SampleChat.reply(1, "Once.")).copy(summary = "We spoke of gold."))
        val problem = ModelProblem.TooLarge(900_000_000, 700_000_000, tryAnyway = true)
        shoot("problem", ChatState(1, loaded = true), ModelState.Failed(ready.selection, problem))
        val unanswered = SampleChat.of(q, SampleChat.reply(1, "", ReplyStatus.NoModel(problem)))
        shoot("problem-in-chat", unanswered, ModelState.Failed(ready.selection, problem))
        shoot("no-model", ChatState(1, loaded = true), ModelState.Asleep, LibraryState(loaded = true))
        val other = SampleChat.reply(3, "Twice.", by = "Gemma 3 270M · Poet")
        shoot("switched", SampleChat.of(q, SampleChat.reply(1, "Once."), SampleChat.question(2, "And now?"), other))
    }

    /** All windows of the app, with the panel or menu drawn over the page. */
    private fun shootWindows(name: String) {
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(600))
        val folder = File(System.getProperty("pocketgemma.test.shots") ?: return, "pages").apply { mkdirs() }
        val windows = WindowManagerGlobal.getInstance().windowViews.filter { it.isShown }
        val bitmap = Bitmap.createBitmap(windows.first().width, windows.first().height, Bitmap.Config.ARGB_8888)
        for (window in windows) {
            val layout = window.layoutParams as WindowManager.LayoutParams
            val canvas = Canvas(bitmap)
            if (layout.flags and WindowManager.LayoutParams.FLAG_DIM_BEHIND != 0) canvas.drawARGB((layout.dimAmount * 255).toInt(), 0, 0, 0)
            val place = IntArray(2).also(window::getLocationOnScreen)
            canvas.translate(place[0].toFloat(), place[1].toFloat())
            window.draw(canvas)
        }
        File(folder, "$name.png").outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
    }

    private fun over(look: String, qualifiers: String) {
        RuntimeEnvironment.setQualifiers(qualifiers)
        val stores = (RuntimeEnvironment.getApplication() as RecordingApplication).recording
        stores.chat.become(SampleChat.long(10))
        stores.model.dispatch(ModelEvent.Changed(ready))
        fun opened(name: String, open: MainActivity.() -> Unit) = Robolectric.buildActivity(MainActivity::class.java).setup().use {
            shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(300))
            it.get().open()
            shootWindows("over-$name-$look")
            shadowOf(Looper.getMainLooper()).idle()
        }
        opened("picker") { findViewById<View>(R.id.who).performClick() }
        opened("notice") { notice("“Cobalt” deleted", "Undo") {} }
        opened("rename") { showTitleDialog(this, "Gold") {} }
        opened("jump") { findViewById<View>(R.id.message_scroll).scrollTo(0, 0) }
        // Last, because its window stays.
        opened("menu") { findViewById<View>(R.id.more).performClick() }
    }

    @Test
    @Config(application = RecordingApplication::class)
    fun `over the page, in the light`() = over("light", PORTRAIT)

    @Test
    @Config(application = RecordingApplication::class)
    fun `over the page, in the dark`() = over("dark", "w411dp-h891dp-port-night-420dpi")

    @Test
    fun conversations() = shootAll("chats") {
        val stores = RecordingStores(SampleLibrary.state)
        val now = System.currentTimeMillis()
        val hour = 3_600_000L
        val snippet = "It does not rust, it is dense, and it is found in rivers as small grains."
        stores.history.become(
            HistoryState(
                loaded = true,
                conversations = listOf(
                    ConversationListItem(1, "How heavy is gold?", "The atomic mass of gold is 197.", now, 4),
                    ConversationListItem(2, "What is element 27?", "That is cobalt.", now - 26 * hour, 2),
                    ConversationListItem(3, "A longer title that somebody gave to a conversation about metals", snippet, now - 24 * 30 * hour, 12),
                ),
            ),
        )
        PageStage(stores) { parent, all, shell -> page(Screen.CHATS, parent, all, shell) }
    }
}
