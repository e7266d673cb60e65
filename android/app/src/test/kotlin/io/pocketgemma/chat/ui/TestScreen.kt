package io.pocketgemma.chat.ui

import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.ImageButton
import android.widget.LinearLayout
import android.widget.TextView
import io.pocketgemma.chat.ChatApplication
import io.pocketgemma.chat.R
import io.pocketgemma.chat.chat.ModelSource
import java.io.File
import java.time.Duration
import org.junit.Assert.assertTrue
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/** The app on a phone's screen, used as a person would: through what is shown. */
class TestScreen(source: ModelSource) : AutoCloseable {
    private val application = (RuntimeEnvironment.getApplication() as ChatApplication).also { it.source = source }
    val controller: ActivityController<MainActivity> = Robolectric.buildActivity(MainActivity::class.java).setup()
    val activity: MainActivity get() = controller.get()

    val input: EditText get() = find(R.id.input)
    val send: ImageButton get() = find(R.id.send)
    val status: String get() = find<TextView>(R.id.status).text.toString()
    val chips: List<String> get() = if (isShown(R.id.chip_scroll)) children(find(R.id.chips)).map { (it as TextView).text.toString() } else emptyList()
    val samples: List<TextView> get() = children(find(R.id.samples)).map { it as TextView }

    /** Every bubble's text, in order. */
    val messages: List<String>
        get() = children(find(R.id.messages)).map { (it as? TextView ?: it.findViewById(R.id.reply_text)).text.toString() }
    val lastCaption: String get() = children(find(R.id.messages)).last().findViewById<TextView>(R.id.reply_caption).text.toString()

    fun <T : View> find(id: Int): T = activity.findViewById(id)

    fun isShown(id: Int): Boolean = find<View>(id).isShown

    fun ask(question: String) {
        input.setText(question)
        assertTrue("the send button is off", send.isEnabled)
        send.performClick()
    }

    fun untilReady() = until("the model is ready") { status == activity.getString(R.string.model_ready) }

    fun untilReplied() = until("the reply has ended") { application.store.state.let { it.activeReply == null && it.messages.isNotEmpty() } }

    fun until(what: String, seconds: Int = 30, holds: () -> Boolean) {
        val end = System.nanoTime() + seconds * 1_000_000_000L
        while (true) {
            shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(50))
            if (holds()) return
            assertTrue("waited $seconds s in vain until $what; the state is ${application.store.state}", System.nanoTime() < end)
            Thread.sleep(5)
        }
    }

    /** Turns the phone: the activity is destroyed and made anew from what it saved. */
    fun turn(qualifiers: String) {
        RuntimeEnvironment.setQualifiers(qualifiers)
        controller.configurationChange()
        controller.visible()
        shadowOf(Looper.getMainLooper()).idle()
    }

    /** Writes what stands on the screen to <shots>/<name>.png. */
    fun shoot(name: String) {
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(500))
        val view = activity.window.decorView
        val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(bitmap))
        val folder = File(System.getProperty("pocketgemma.test.shots") ?: return).apply { mkdirs() }
        File(folder, "$name.png").outputStream().use { assertTrue(bitmap.compress(Bitmap.CompressFormat.PNG, 100, it)) }
    }

    override fun close() {
        controller.pause().stop().destroy()
        application.onTerminate()
    }

    private fun children(group: View): List<View> = (group as LinearLayout as ViewGroup).let { (0 until it.childCount).map(it::getChildAt) }
}
