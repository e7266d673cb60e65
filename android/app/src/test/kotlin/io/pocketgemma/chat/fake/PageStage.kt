package io.pocketgemma.chat.fake

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.CompoundButton
import android.widget.FrameLayout
import android.widget.TextView
import io.pocketgemma.chat.R
import io.pocketgemma.chat.Stores
import io.pocketgemma.chat.ui.Page
import io.pocketgemma.chat.ui.Shell
import java.io.File
import java.time.Duration
import org.junit.Assert.assertTrue
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** A single page on a phone's screen, with recording stores. */
class PageStage(
    val stores: RecordingStores = RecordingStores(),
    make: (ViewGroup, Stores, Shell) -> Page,
) {
    val shell = RecordingShell()
    val activity: Activity = Robolectric.buildActivity(Activity::class.java).apply { get().setTheme(R.style.Theme_Chat) }.setup().get()
    val page: Page

    init {
        val parent = FrameLayout(activity)
        activity.setContentView(parent)
        page = make(parent, stores.all, shell)
        parent.addView(page.view)
        page.show()
        settle()
    }

    fun <T : View> find(id: Int): T = requireNotNull(page.view.findViewById(id)) { "no view ${activity.resources.getResourceName(id)}" }

    fun text(id: Int): String = find<TextView>(id).text.toString()

    fun isShown(id: Int): Boolean = find<View>(id).isShown

    fun click(id: Int) = click(find<View>(id))

    fun click(view: View) {
        assertTrue("$view is off", view.isEnabled && view.isShown)
        // A compound button toggles itself and reports that no listener was called.
        assertTrue("$view does nothing", view.performClick() || view is CompoundButton)
        settle()
    }

    fun children(id: Int): List<View> = find<ViewGroup>(id).let { group -> (0 until group.childCount).map(group::getChildAt) }

    fun string(id: Int, vararg parts: Any): String = activity.getString(id, *parts)

    fun settle() = shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(300))

    /** All texts of the page, in reading order. */
    fun words(view: View = page.view): List<String> = when {
        view.visibility != View.VISIBLE -> emptyList()
        view is TextView -> listOf(view.text.toString()).filter { it.isNotBlank() }
        view is ViewGroup -> (0 until view.childCount).flatMap { words(view.getChildAt(it)) }
        else -> emptyList()
    }

    /**
     * Writes the screen to <shots>/pages/<name>.png, separate from the screenshots of the real app; [whole] makes the picture as high as
     * the page's scrolling content.
     */
    fun shoot(name: String, whole: Boolean = false) {
        settle()
        val folder = File(System.getProperty("pocketgemma.test.shots") ?: return, "pages").apply { mkdirs() }
        val view = page.view
        // Skip the animation of radio buttons.
        view.jumpDrawablesToCurrentState()
        if (whole) {
            view.measure(exactly(view.width), exactly(WHOLE_HEIGHT))
            view.layout(0, 0, view.measuredWidth, view.measuredHeight)
        }
        val bitmap = Bitmap.createBitmap(view.width, view.height, Bitmap.Config.ARGB_8888)
        view.draw(Canvas(bitmap))
        File(folder, "$name.png").outputStream().use { assertTrue(bitmap.compress(Bitmap.CompressFormat.PNG, 100, it)) }
    }

    private fun exactly(size: Int) = View.MeasureSpec.makeMeasureSpec(size, View.MeasureSpec.EXACTLY)

    private companion object {
        const val WHOLE_HEIGHT = 6000
    }
}

/** A phone of usual size. */
const val PORTRAIT = "w411dp-h891dp-port-420dpi"
const val LANDSCAPE = "w891dp-h411dp-land-420dpi"
private const val LARGEST_FONT = 2.0f

/** Screenshots of a page in all variants: <name>-light, -dark, -landscape, -rtl, -german and -large. */
fun shootAll(name: String, stage: () -> PageStage) {
    val looks = mapOf(
        "light" to PORTRAIT,
        "dark" to "w411dp-h891dp-port-night-420dpi",
        "landscape" to LANDSCAPE,
        "rtl" to "ar-ldrtl-$PORTRAIT",
        "german" to "de-$PORTRAIT",
    )
    for ((look, qualifiers) in looks) {
        RuntimeEnvironment.setQualifiers(qualifiers)
        stage().shoot("$name-$look")
        if (look == "light") stage().shoot("$name-whole", whole = true)
    }
    RuntimeEnvironment.setQualifiers("en-rUS-$PORTRAIT")
    RuntimeEnvironment.setFontScale(LARGEST_FONT)
    stage().shoot("$name-large", whole = true)
}
