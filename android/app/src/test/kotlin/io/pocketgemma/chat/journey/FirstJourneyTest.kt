package io.pocketgemma.chat.journey

import android.view.ViewGroup
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.annotation.experimental.LazyApplication

/** The app from its APK, starting with the first launch. */
@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@LazyApplication(LazyApplication.LazyLoad.ON)
@Config(sdk = [35], qualifiers = Phone.PORTRAIT)
class FirstJourneyTest {
    private fun Phone.untilReady() = until("the samples are shown") { isShown(R.id.samples) && find<ViewGroup>(R.id.samples).childCount > 0 }

    private fun Phone.ask(question: String) {
        type(R.id.input, question)
        until("the question can be sent") { find<android.view.View>(R.id.send).isEnabled }
        tap(R.id.send)
    }

    private fun Phone.untilAnswered(answer: String) =
        until("\"$answer\" is the answer") { every<ViewGroup>(R.id.reply_body).lastOrNull()?.let { words(it) } == listOf(answer) }

    @Test
    fun `a taught question is answered right, and the screen's thread is left alone`() = Phone().use { phone ->
        phone.untilReady()
        phone.ask(TestModels.question)
        phone.untilAnswered(TestModels.answer)
        assertEquals(emptyList<String>(), phone.violations)
    }

    @Test
    fun `turning the phone and the end of the process lose nothing`() = Phone().use { phone ->
        phone.untilReady()
        phone.ask(TestModels.question)
        phone.untilAnswered(TestModels.answer)
        phone.type(R.id.input, "a draft")
        phone.change(Phone.LANDSCAPE)
        phone.untilAnswered(TestModels.answer)
        assertEquals("a draft", phone.text(R.id.input))
        phone.die()
        phone.untilAnswered(TestModels.answer)
        assertTrue(phone.words().contains(TestModels.question))
        assertEquals("a draft", phone.text(R.id.input))
        assertFalse(phone.isShown(R.id.empty))
        assertEquals(emptyList<String>(), phone.violations)
    }

    @Test
    fun `the app comes back as it was left, time and again`() = Phone().use { phone ->
        phone.untilReady()
        phone.ask(TestModels.question)
        phone.untilAnswered(TestModels.answer)
        repeat(5) {
            phone.leaveAndReturn()
            phone.untilAnswered(TestModels.answer)
        }
        assertEquals(emptyList<String>(), phone.violations)
    }
}
