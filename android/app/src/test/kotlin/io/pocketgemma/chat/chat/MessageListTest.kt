package io.pocketgemma.chat.chat

import android.app.Activity
import android.app.Application
import android.view.View
import android.view.ViewGroup
import android.widget.FrameLayout
import android.widget.ScrollView
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingShell
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleChat
import io.pocketgemma.chat.fake.SampleChat.question
import io.pocketgemma.chat.fake.SampleChat.reply
import io.pocketgemma.chat.fake.SampleLibrary
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class MessageListTest {
    private fun stage(chat: ChatState): PageStage {
        val stores = RecordingStores(SampleLibrary.state)
        stores.chat.become(chat)
        return PageStage(stores, ::ChatPage)
    }

    private val PageStage.scroll get() = find<ScrollView>(R.id.message_scroll)
    private val PageStage.end get() = scroll.getChildAt(0).height - scroll.height
    private val PageStage.filled get() = children(R.id.messages).filter { (it as ViewGroup).childCount > 0 }

    private fun lines(count: Int) = (0 until count).joinToString("\n\n") { "line $it" }

    private fun story(lines: Int, status: ReplyStatus = ReplyStatus.Active()) =
        SampleChat.of(question(0, "write a lot"), reply(1, lines(lines), status))

    private fun PageStage.scrollTo(y: Int) {
        scroll.scrollTo(0, y)
        settle()
    }

    /** The messages on the screen and their positions, as a user sees them. */
    private fun PageStage.seen(): Map<String, Int> {
        val y = scroll.scrollY
        return filled.filter { it.bottom > y && it.top < y + scroll.height && words(it).isNotEmpty() }
            .associate { words(it).first() to it.top - y }
    }

    @Test
    fun `a growing reply is followed to its end, unless the user has scrolled up`() {
        val stage = stage(story(80))
        assertTrue(stage.end > 500)
        assertEquals(stage.end, stage.scroll.scrollY)
        val read = stage.end - 600
        stage.scrollTo(read)
        stage.stores.chat.become(story(100))
        stage.settle()
        assertEquals(read, stage.scroll.scrollY)
        stage.scrollTo(stage.end)
        stage.stores.chat.become(story(120))
        stage.settle()
        assertEquals(stage.end, stage.scroll.scrollY)
    }

    @Test
    fun `a button leads back to the end`() {
        val stage = stage(story(120))
        assertFalse(stage.isShown(R.id.jump_to_end))
        stage.scrollTo(0)
        assertTrue(stage.isShown(R.id.jump_to_end))
        stage.click(R.id.jump_to_end)
        repeat(4) { stage.settle() }
        assertEquals(stage.end, stage.scroll.scrollY)
        assertFalse(stage.isShown(R.id.jump_to_end))
    }

    @Test
    fun `a new question is scrolled to, wherever the user was reading`() {
        val before = SampleChat.long(12)
        val stage = stage(before)
        stage.scrollTo(0)
        stage.stores.chat.become(before.copy(messages = before.messages + question(900, "new") + reply(901, "", ReplyStatus.Active())))
        stage.settle()
        assertEquals(stage.end, stage.scroll.scrollY)
        assertTrue("new" in stage.seen())
    }

    @Test
    fun `the place is reported when the list has come to rest, and null at the end`() {
        val stage = stage(SampleChat.long(15))
        val fourth = stage.children(R.id.messages)[3]
        stage.scroll.scrollTo(0, fourth.top + 42)
        assertFalse(stage.stores.chat.events.contains(ChatEvent.Scrolled(ScrollPosition(3, 16))))
        stage.settle()
        stage.settle()
        assertEquals(ChatEvent.Scrolled(ScrollPosition(3, 16)), stage.stores.chat.events.last())
        stage.scrollTo(stage.end)
        stage.settle()
        assertEquals(ChatEvent.Scrolled(null), stage.stores.chat.events.last())
    }

    @Test
    fun `the place is reported before the page goes`() {
        val stage = stage(SampleChat.long(15))
        stage.settle()
        stage.scroll.scrollTo(0, stage.children(R.id.messages)[4].top)
        stage.page.hide()
        assertEquals(ChatEvent.Scrolled(ScrollPosition(4, 0)), stage.stores.chat.events.last())
    }

    @Test
    fun `a page that was never laid out keeps the place it came with`() {
        val stores = RecordingStores(SampleLibrary.state)
        stores.chat.become(SampleChat.long(15).copy(scroll = ScrollPosition(5, 10)))
        val activity = Robolectric.buildActivity(Activity::class.java).apply { get().setTheme(R.style.Theme_Chat) }.create().get()
        val page = ChatPage(FrameLayout(activity), stores.all, RecordingShell())
        page.show()
        page.hide()
        assertEquals(emptyList<ChatEvent>(), stores.chat.events)
    }

    @Test
    fun `a conversation is opened where it was left`() {
        val stage = stage(SampleChat.long(15).copy(scroll = ScrollPosition(5, 10)))
        assertEquals(stage.children(R.id.messages)[5].top + 26, stage.scroll.scrollY, 1)
        stage.stores.chat.become(SampleChat.long(10).copy(conversation = 2))
        stage.settle()
        assertEquals(stage.end, stage.scroll.scrollY)
        stage.stores.chat.become(SampleChat.long(15).copy(scroll = ScrollPosition(2, 0)))
        stage.settle()
        assertEquals(stage.children(R.id.messages)[2].top, stage.scroll.scrollY)
    }

    @Test
    fun `a place counts messages, whatever stands above them`() {
        val stage = stage(SampleChat.long(15).copy(summary = "gold", scroll = ScrollPosition(5, 0)))
        assertEquals("Reply 2", stage.words(stage.children(R.id.messages)[6]).first().substringBefore('.'))
        assertEquals(stage.children(R.id.messages)[6].top, stage.scroll.scrollY)
        stage.scrollTo(stage.children(R.id.messages)[4].top)
        stage.settle()
        assertEquals(ChatEvent.Scrolled(ScrollPosition(3, 0)), stage.stores.chat.events.last())
    }

    @Test
    fun `of a long conversation only what is near the screen has views`() {
        val stage = stage(SampleChat.long(250))
        assertEquals(500, stage.children(R.id.messages).size)
        assertTrue("${stage.filled.size} of 500", stage.filled.size in 5..60)
        assertEquals(stage.end, stage.scroll.scrollY)
        assertTrue(stage.seen().toString(), stage.seen().keys.any { it.startsWith("Reply 249") })
    }

    @Test
    fun `scrolling through a long conversation shows every message, and no more views than before`() {
        val stage = stage(SampleChat.long(250))
        val met = LinkedHashSet<String>()
        while (stage.scroll.scrollY > 0) {
            met += stage.seen().keys
            assertTrue("${stage.filled.size} views", stage.filled.size < 90)
            stage.scrollTo(maxOf(0, stage.scroll.scrollY - stage.scroll.height / 2))
        }
        met += stage.seen().keys
        val metrics = met.mapNotNull { Regex("Question (\\d+)").matchEntire(it)?.groupValues?.get(1)?.toInt() }
        assertEquals((0 until 250).toSet(), metrics.toSet())
    }

    @Test
    fun `what is read stays where it is while the heights above become known`() {
        val stage = stage(SampleChat.long(250))
        stage.scroll.scrollTo(0, stage.end / 2)
        stage.settle()
        val before = stage.seen()
        repeat(20) { stage.settle() }
        val after = stage.seen()
        assertEquals(before.keys, after.keys)
        for ((message, y) in before) assertTrue("$message moved from $y to ${after[message]}", abs(y - after.getValue(message)) <= 1)
    }

    @Test
    fun `the place in a long conversation is found again to the pixel`() {
        val stage = stage(SampleChat.long(250).copy(scroll = ScrollPosition(201, 8)))
        repeat(20) { stage.settle() }
        assertEquals(stage.children(R.id.messages)[201].top + 21, stage.scroll.scrollY, 1)
    }

    @Test
    fun `a message that has not changed keeps its view while another grows`() {
        val stage = stage(SampleChat.of(question(0, "a"), reply(1, "A"), question(2, "b"), reply(3, "B", ReplyStatus.Active())))
        val views = stage.children(R.id.messages).map { (it as ViewGroup).getChildAt(0) }
        val text = views[1].findViewById<ViewGroup>(R.id.reply_body).getChildAt(0)
        stage.stores.chat.become(SampleChat.of(question(0, "a"), reply(1, "A"), question(2, "b"), reply(3, "B and C", ReplyStatus.Active())))
        stage.settle()
        assertEquals(views, stage.children(R.id.messages).map { (it as ViewGroup).getChildAt(0) })
        assertTrue(text === views[1].findViewById<ViewGroup>(R.id.reply_body).getChildAt(0))
        assertEquals("B and C", (views[3].findViewById<ViewGroup>(R.id.reply_body).getChildAt(0) as TextView).text.toString())
    }

    @Test
    fun `a view that was used for another message shows nothing of that`() {
        val chat = SampleChat.of(question(0, "a"), reply(1, "", ReplyStatus.Failed("bad")), question(2, "b"), reply(3, "B"))
        val stage = stage(chat)
        val other = listOf<Message>(question(10, "c"), reply(11, "C"))
        stage.stores.chat.become(chat.copy(conversation = 2, messages = other))
        stage.settle()
        assertEquals(listOf("c", "C"), stage.children(R.id.messages).flatMap { stage.words(it) })
        assertFalse(stage.children(R.id.messages)[1].findViewById<View>(R.id.reply_caption).isShown)
    }

    private fun assertEquals(expected: Int, actual: Int, slack: Int) =
        assertTrue("$actual instead of $expected", abs(expected - actual) <= slack)
}
