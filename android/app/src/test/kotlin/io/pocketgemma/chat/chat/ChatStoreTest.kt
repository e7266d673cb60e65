package io.pocketgemma.chat.chat

import io.pocketgemma.chat.model.LanguageModel
import io.pocketgemma.chat.model.ModelException
import io.pocketgemma.chat.model.ModelManifest
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyEnd
import io.pocketgemma.chat.model.Role
import io.pocketgemma.chat.model.Turn
import java.util.concurrent.Executor
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class ChatStoreTest {
    /** Runs what is posted when told to, so that a test sees every moment in between. */
    private class ManualMainThread : MainThread {
        private val tasks = ArrayDeque<() -> Unit>()

        override fun post(delayMillis: Long, task: () -> Unit) = tasks.addLast(task)

        fun drain() {
            while (tasks.isNotEmpty()) tasks.removeFirst()()
        }
    }

    private class ManualWorker : Executor {
        private val tasks = ArrayDeque<Runnable>()

        override fun execute(task: Runnable) = tasks.addLast(task)

        fun drain() {
            while (tasks.isNotEmpty()) tasks.removeFirst().run()
        }
    }

    /** Says its lines one after another until it is cancelled. */
    private class FakeModel(private val pieces: List<String>) : LanguageModel {
        val begun = mutableListOf<List<Turn>>()
        val asked = mutableListOf<String>()
        var whileReplying: (Int) -> Unit = {}
        var fails = false
        var closed = false
        private var cancelled = false

        override fun begin(history: List<Turn>) {
            begun += history
        }

        override fun reply(question: String, onText: (String) -> Unit): ReplyEnd {
            asked += question
            cancelled = false
            if (fails) throw IllegalStateException("broken")
            for ((index, piece) in pieces.withIndex()) {
                onText(piece)
                whileReplying(index)
                if (cancelled) return ReplyEnd.Stopped(null)
            }
            return ReplyEnd.Complete(null)
        }

        override fun cancel() {
            cancelled = true
        }

        override fun close() {
            closed = true
        }
    }

    private class FakeSource(var model: FakeModel?, private val manifest: ModelManifest) : ModelSource {
        override fun manifest() = manifest

        override fun sampleQuestions() = listOf("What is Fe?")

        override fun load(manifest: ModelManifest, onProgress: (Double) -> Unit): LanguageModel =
            model ?: throw ModelException(ModelProblem.Missing("/somewhere"))
    }

    private val main = ManualMainThread()
    private val worker = ManualWorker()

    private fun store(model: FakeModel?, manifest: ModelManifest = ModelManifest("Test")) =
        ChatStore(FakeSource(model, manifest), worker, main).also { settle() }

    private fun settle() {
        worker.drain()
        main.drain()
    }

    private fun ChatStore.ask(question: String) {
        dispatch(ChatEvent.Ask(question))
        settle()
    }

    @Test
    fun `the model is loaded and introduced`() {
        val state = store(FakeModel(emptyList())).state
        assertEquals(ModelState.Ready, state.model)
        assertEquals("Test", state.manifest?.name)
        assertEquals(listOf("What is Fe?"), state.sampleQuestions)
    }

    @Test
    fun `a missing model is a state, and can be tried again`() {
        val source = FakeSource(null, ModelManifest("Test"))
        val store = ChatStore(source, worker, main).also { settle() }
        assertEquals(ModelState.Failed(ModelProblem.Missing("/somewhere")), store.state.model)
        source.model = FakeModel(listOf("hi"))
        store.dispatch(ChatEvent.LoadAgain)
        settle()
        assertEquals(ModelState.Ready, store.state.model)
    }

    @Test
    fun `many pieces make few updates of the screen`() {
        val store = store(FakeModel(List(500) { "x" }))
        var updates = 0
        store.observer = { updates++ }
        store.ask("go")
        assertEquals("x".repeat(500), store.state.messages.last().text)
        assertTrue("$updates updates", updates < 6)
    }

    @Test
    fun `a second question goes on with the same conversation`() {
        val model = FakeModel(listOf("yes"))
        val store = store(model)
        store.ask("one")
        store.ask("two")
        assertEquals(listOf(emptyList<Turn>()), model.begun)
        assertEquals(listOf("one", "two"), model.asked)
    }

    @Test
    fun `a model without memory of a conversation gets each question alone`() {
        val model = FakeModel(listOf("yes"))
        val store = store(model, ModelManifest("Test", remembersConversation = false))
        store.ask("one")
        store.ask("two")
        assertEquals(listOf<List<Turn>>(emptyList(), emptyList()), model.begun)
    }

    @Test
    fun `stop cancels the model, keeps the text, and the next question begins anew with it`() {
        val model = FakeModel(List(100) { "x" })
        val store = store(model)
        model.whileReplying = { if (it == 4) store.dispatch(ChatEvent.Stop) }
        store.ask("long one")
        assertEquals("xxxxx", store.state.messages.last().text)
        assertEquals(ReplyStatus.Stopped(null), (store.state.messages.last() as Message.Reply).status)
        model.whileReplying = {}
        store.ask("next")
        assertEquals(listOf(Turn(Role.USER, "long one"), Turn(Role.MODEL, "xxxxx")), model.begun.last())
    }

    @Test
    fun `stop before the model has begun asks it nothing`() {
        val model = FakeModel(listOf("x"))
        val store = store(model)
        store.dispatch(ChatEvent.Ask("q"))
        store.dispatch(ChatEvent.Stop)
        settle()
        assertEquals(emptyList<String>(), model.asked)
        assertEquals(ReplyStatus.Stopped(null), (store.state.messages.last() as Message.Reply).status)
    }

    @Test
    fun `a new chat abandons the reply under way`() {
        val model = FakeModel(List(100) { "x" })
        val store = store(model)
        model.whileReplying = { if (it == 4) store.dispatch(ChatEvent.NewChat) }
        store.ask("old")
        assertEquals(emptyList<Message>(), store.state.messages)
        model.whileReplying = {}
        store.ask("new")
        assertEquals(emptyList<Turn>(), model.begun.last())
        assertEquals(2, store.state.messages.size)
    }

    @Test
    fun `a model that breaks ends the reply with its message, and the chat goes on`() {
        val model = FakeModel(listOf("fine")).apply { fails = true }
        val store = store(model)
        store.ask("q")
        assertTrue((store.state.messages.last() as Message.Reply).status is ReplyStatus.Failed)
        model.fails = false
        store.ask("again")
        assertEquals("fine", store.state.messages.last().text)
    }

    @Test
    fun `closing frees the model`() {
        val model = FakeModel(emptyList())
        store(model).close()
        settle()
        assertTrue(model.closed)
    }
}
