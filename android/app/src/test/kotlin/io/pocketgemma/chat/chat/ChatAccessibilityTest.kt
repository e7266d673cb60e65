package io.pocketgemma.chat.chat

import android.app.Application
import android.view.View
import android.view.accessibility.AccessibilityNodeInfo
import android.widget.ImageButton
import android.widget.LinearLayout
import android.widget.TextView
import io.pocketgemma.chat.Accessibility
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.fake.PORTRAIT
import io.pocketgemma.chat.fake.PageStage
import io.pocketgemma.chat.fake.RecordingStores
import io.pocketgemma.chat.fake.SampleChat
import io.pocketgemma.chat.fake.SampleChat.question
import io.pocketgemma.chat.fake.SampleChat.reply
import io.pocketgemma.chat.fake.SampleLibrary
import io.pocketgemma.chat.history.HistoryState
import io.pocketgemma.chat.model.Backend
import io.pocketgemma.chat.model.ModelEvent
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ModelState
import io.pocketgemma.chat.model.Selection
import io.pocketgemma.chat.page
import io.pocketgemma.chat.settings.Settings
import io.pocketgemma.chat.ui.Screen
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowDialog

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = PORTRAIT, application = Application::class)
class ChatAccessibilityTest {
    private val tuned = Selection(SampleLibrary.tuned.id)
    private val ready = ModelState.Ready(tuned, Backend.CPU)

    private fun stage(chat: ChatState, model: ModelState = ready): PageStage {
        val stores = RecordingStores(SampleLibrary.state, Settings(showMetrics = true))
        stores.chat.become(chat)
        stores.model.dispatch(ModelEvent.Changed(model))
        return PageStage(stores, ::ChatPage)
    }

    private val chats = listOf(
        SampleChat.short,
        ChatState(1, loaded = true),
        SampleChat.of(question(0, "a"), reply(1, "", ReplyStatus.ContextFull)).copy(summary = "gold"),
        SampleChat.of(question(0, "a"), reply(1, "", ReplyStatus.Failed("bad"))),
        SampleChat.of(question(0, "a"), reply(1, "A")).copy(editing = true, draft = "a"),
    )

    private fun check() {
        for (chat in chats) assertEquals(emptyList<String>(), Accessibility.faults(stage(chat).page.view))
        val failed = stage(ChatState(1, loaded = true), ModelState.Failed(tuned, ModelProblem.TooLarge(9, 8, tryAnyway = true)))
        assertEquals(emptyList<String>(), Accessibility.faults(failed.page.view))
        failed.click(R.id.who)
        failed.settle()
        assertEquals(emptyList<String>(), Accessibility.faults(ShadowDialog.getLatestDialog().findViewById(R.id.picker)))
        val stores = RecordingStores(SampleLibrary.state)
        val lines = listOf(ConversationListItem(1, "Gold", "197", 0, 2), ConversationListItem(2, "Iron", "56", 0, 2))
        stores.history.become(HistoryState(loaded = true, conversations = lines))
        assertEquals(emptyList<String>(), Accessibility.faults(PageStage(stores) { parent, all, shell -> page(Screen.CHATS, parent, all, shell) }.page.view))
    }

    @Test
    fun `labels, sizes and contrast, in the light`() = check()

    @Test
    @Config(qualifiers = "+night")
    fun `labels, sizes and contrast, in the dark`() = check()

    @Test
    fun `labels, sizes and contrast, with the largest font`() {
        RuntimeEnvironment.setFontScale(2f)
        check()
    }

    @Test
    fun `the check itself sees a button without a label, a small one and faint words`() {
        val stage = stage(ChatState(1, loaded = true))
        val group = LinearLayout(stage.activity).apply { setBackgroundColor(0xFFFFFFFF.toInt()) }
        group.addView(ImageButton(stage.activity), 30, 30)
        group.addView(TextView(stage.activity).apply { text = "faint"; setTextColor(0xFFBBBBBB.toInt()) }, 300, 90)
        stage.activity.setContentView(group)
        stage.settle()
        val faults = Accessibility.faults(group)
        for (fault in listOf("no label", "to touch", "has contrast", "no heading")) {
            assertEquals("$faults", 1, faults.count { fault in it })
        }
    }

    @Test
    fun `a question is announced as the user's, and TalkBack's menu can copy and edit it`() {
        val stage = stage(SampleChat.short)
        val last = stage.children(R.id.messages)[2].findViewById<TextView>(R.id.question_text)
        assertTrue(last.contentDescription.startsWith("You: How heavy"))
        val node = AccessibilityNodeInfo.obtain().also(last::onInitializeAccessibilityNodeInfo)
        assertTrue(node.actionList.mapNotNull { it.label }.containsAll(listOf("Copy question", "Edit question")))
        assertTrue(last.performAccessibilityAction(R.id.copy_question, null))
        assertEquals(1, stage.shell.copied.size)
    }

    @Test
    fun `the button for choosing a model is a heading with the complete state`() {
        val who = stage(SampleChat.short).find<View>(R.id.who)
        assertTrue(who.isAccessibilityHeading)
        assertEquals("How heavy is gold?\nPocket Science · offline\nChoose a model", who.contentDescription)
    }

    @Test
    fun `the share that counts up is not read out again and again`() {
        val stage = stage(ChatState(1, loaded = true), ModelState.Loading(0.3))
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_NONE, stage.find<View>(R.id.status).accessibilityLiveRegion)
        stage.stores.model.dispatch(ModelEvent.Changed(ready))
        assertEquals(View.ACCESSIBILITY_LIVE_REGION_POLITE, stage.find<View>(R.id.status).accessibilityLiveRegion)
    }
}
