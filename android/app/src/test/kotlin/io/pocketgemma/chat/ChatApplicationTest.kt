package io.pocketgemma.chat

import android.content.ComponentCallbacks2
import android.content.pm.PackageManager
import android.os.Looper
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.library.Import
import io.pocketgemma.chat.library.ImportCancellation
import io.pocketgemma.chat.library.ImportOutcome
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryOperations
import io.pocketgemma.chat.library.ModelEntry
import io.pocketgemma.chat.library.Origin
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ConversationConfig
import io.pocketgemma.chat.model.EngineOptions
import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ModelSource
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.settings.SettingsEvent
import java.io.File
import java.time.Duration
import java.util.concurrent.ConcurrentLinkedQueue
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** The stores put together as in the app, with a model that replies with the question. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class ChatApplicationTest {
    /** "what by which thread", for everything that was done. */
    private val done = ConcurrentLinkedQueue<String>()

    private fun note(what: String) = done.add("$what by ${Thread.currentThread().name}")

    private inner class Echo : LanguageModel {
        override val backend = Backend.CPU
        override val contextTokens: Int? = null

        override fun begin(config: ConversationConfig, adapter: File?) {
            note("begin")
        }

        override fun reply(question: String, onText: (String) -> Unit): ReplyEnd {
            onText("You said: $question")
            return ReplyEnd.Complete(null)
        }

        override fun countTokens(text: String) = text.length

        override fun cancel() = Unit

        override fun close() {
            note("close")
        }
    }

    private val files = object : LibraryOperations {
        override fun scan(): LibraryEvent.Loaded {
            note("look")
            return LibraryEvent.Loaded(listOf(ModelEntry("m", "Echo", 1, Origin.APP)), emptyList(), emptyList(), Selection("m"), null)
        }

        override fun import(uri: String, cancellation: ImportCancellation, onProgress: (Import) -> Unit): ImportOutcome {
            note("import")
            return ImportOutcome.Taken("m")
        }

        override fun remove(id: String) = Unit
    }

    private val source = object : ModelSource {
        override fun load(model: String, options: EngineOptions, onProgress: (Double) -> Unit): LanguageModel {
            note("load")
            return Echo()
        }

        override fun adapter(model: String, adapter: String): File = error("no adapter")
    }

    private val application = (RuntimeEnvironment.getApplication() as ChatApplication).also { it.models = Models(files, source) { note("gpu") } }
    private val stores get() = application.stores

    @After
    fun end() = application.onTerminate()

    private fun until(what: String, holds: () -> Boolean) {
        val end = System.nanoTime() + 20_000_000_000
        while (!holds()) {
            shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(50))
            assertTrue("waited in vain until $what: ${stores.chat.state}, ${stores.model.state}", System.nanoTime() < end)
            Thread.sleep(2)
        }
    }

    private fun ask(question: String) {
        until("the chat is read") { stores.chat.state.canAsk }
        stores.chat.dispatch(ChatEvent.Ask(question))
        until("it has answered") { stores.chat.state.messages.lastOrNull()?.text == "You said: $question" && stores.chat.state.canAsk }
    }

    @Test
    fun `files, imports and the model each have a thread of their own, and none is the screen's`() {
        ask("hello")
        stores.library.dispatch(LibraryEvent.ImportFile("content://1"))
        until("it is imported") { stores.library.state.imported == "m" }
        assertTrue("$done", done.containsAll(listOf("look by disk", "load by model", "begin by model", "import by import")))
    }

    @Test
    fun `the model goes when the process may end, not when the app leaves the screen, and comes back with the next question`() {
        ask("one")
        application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_UI_HIDDEN)
        // If the model were freed, that would happen quickly.
        Thread.sleep(200)
        ask("two")
        assertTrue("$done", "close by model" !in done)
        application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_BACKGROUND)
        until("it is free") { stores.model.state == ModelState.Asleep }
        assertEquals(1, done.count { it == "close by model" })
        ask("three")
        @Suppress("DEPRECATION")
        application.onLowMemory()
        until("it is free") { stores.model.state == ModelState.Asleep }
        assertEquals(2, done.count { it == "close by model" })
    }

    @Test
    fun `memory that runs short before there is a screen touches nothing`() {
        application.onTrimMemory(ComponentCallbacks2.TRIM_MEMORY_COMPLETE)
        assertEquals(emptyList<String>(), done.toList())
    }

    @Test
    fun `a conversation is listed, takes its new name from the list, and gives way when it is deleted there`() {
        ask("What is iron?")
        val id = stores.chat.state.conversation
        until("it is listed") { stores.history.state.conversations.any { it.id == id } }
        stores.history.dispatch(HistoryEvent.Rename(id, "Metals"))
        until("the chat has the name") { stores.chat.state.title == "Metals" }
        stores.history.dispatch(HistoryEvent.Delete(id))
        until("another one is open") { stores.chat.state.conversation != id && stores.chat.state.messages.isEmpty() }
    }

    @Test
    fun `what was written is stored when the screen is left`() {
        val activity = Robolectric.buildActivity(MainActivity::class.java).setup()
        ask("What is iron?")
        stores.chat.dispatch(ChatEvent.DraftChanged("And what is"))
        activity.pause().stop()
        application.onTerminate()
        val next = ChatApplication().also { it.models = Models(files, source) }
        attach(next)
        next.onCreate()
        until("it is read again") { next.stores.chat.state.draft == "And what is" }
        next.onTerminate()
    }

    @Test
    fun `the app requests no permissions, and declares its languages`() {
        val info = application.packageManager.getPackageInfo(application.packageName, PackageManager.GET_PERMISSIONS)
        assertNull(info.requestedPermissions)
        val languages = application.resources.getXml(R.xml.locales_config).run {
            generateSequence { next() }.takeWhile { it != org.xmlpull.v1.XmlPullParser.END_DOCUMENT }
                .filter { it == org.xmlpull.v1.XmlPullParser.START_TAG && name == "locale" }.map { getAttributeValue(0) }.toList()
        }
        assertEquals(listOf("en", "de"), languages)
    }

    private fun attach(next: ChatApplication) {
        val attach = android.content.ContextWrapper::class.java.getDeclaredMethod("attachBaseContext", android.content.Context::class.java)
        attach.isAccessible = true
        attach.invoke(next, application.baseContext)
    }

    @Test
    fun `selecting the GPU is reported on the model's thread, before anything is loaded for it`() {
        until("the model is loaded") { stores.model.state is ModelState.Ready }
        assertTrue("$done", done.none { it.startsWith("gpu") })
        done.clear()
        stores.settings.dispatch(SettingsEvent.Change(stores.settings.state.settings.copy(backend = Backend.GPU)))
        until("it is loaded for the GPU") { "load by model" in done }
        assertTrue("$done", done.indexOf("gpu by model") in 0 until done.indexOf("load by model"))
    }
}
