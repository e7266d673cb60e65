package io.pocketgemma.chat.journey

import android.os.Bundle
import android.view.View
import android.view.accessibility.AccessibilityNodeInfo
import android.widget.ImageButton
import android.widget.SeekBar
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.annotation.experimental.LazyApplication

/**
 * A journey through the app from its APK. During the whole journey, the main thread must not have accessed files, the database, or the
 * runtime.
 */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@LazyApplication(LazyApplication.LazyLoad.ON)
@Config(sdk = [35], qualifiers = Phone.PORTRAIT)
abstract class JourneyTest {
    protected fun journey(steps: Phone.() -> Unit) = Phone().use { phone ->
        phone.steps()
        assertEquals(emptyList<String>(), phone.violations)
    }

    protected fun Phone.say(id: Int, vararg arguments: Any): String = activity.getString(id, *arguments)

    protected fun Phone.untilReady() = until("sample questions are offered") { samples().isNotEmpty() }

    protected fun Phone.samples(): List<String> = findOrNull<View>(R.id.samples)?.let { words(it) }.orEmpty()

    /** Every reply as displayed, newest last. */
    protected val Phone.replies: List<String> get() = every<View>(R.id.reply_body).map { words(it).joinToString("\n") }

    protected val Phone.questions: List<String> get() = every<TextView>(R.id.question_text).map { it.text.toString() }

    protected val Phone.isAnswering: Boolean get() = find<ImageButton>(R.id.send).contentDescription == say(R.string.stop)

    protected fun Phone.ask(question: String) {
        type(R.id.input, question)
        until("the question can be sent") { find<View>(R.id.send).isEnabled }
        tap(R.id.send)
    }

    protected fun Phone.untilReplied() = until("the reply has ended") { !isAnswering && questions.isNotEmpty() }

    protected fun Phone.askTaught(): String {
        ask(TestModels.question)
        untilReplied()
        assertEquals(TestModels.answer, replies.last())
        return replies.last()
    }

    /** A new chat, unless this one is still empty. */
    protected fun Phone.startAnew() {
        if (questions.isNotEmpty()) tap(R.id.new_chat)
        until("the chat is empty") { questions.isEmpty() }
    }

    /** Moves a slider, as TalkBack does. */
    protected fun Phone.slide(id: Int, share: Double) {
        val bar = find<SeekBar>(id)
        val place = Bundle().apply { putFloat(AccessibilityNodeInfo.ACTION_ARGUMENT_PROGRESS_VALUE, (bar.min + (bar.max - bar.min) * share).toFloat()) }
        assertTrue(bar.performAccessibilityAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SET_PROGRESS.id, place))
        settle()
    }

    /** Opens a page from the menu of the chat. */
    protected fun Phone.open(title: Int, page: Int) {
        tap(R.id.more)
        tap(say(title))
        until("the page is shown") { isShown(page) }
    }

    protected fun Phone.close(page: Int) {
        find<View>(page).findViewById<View>(R.id.page_back).let(::tap)
        until("the page is closed") { !isShown(page) }
    }
}
