package io.pocketgemma.chat.journey

import android.app.Activity
import android.app.ActivityManager
import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Bundle
import android.os.Looper
import android.os.Parcel
import android.view.View
import android.view.ViewGroup
import android.view.WindowManager
import android.view.WindowManagerGlobal
import android.widget.AdapterView
import android.widget.CompoundButton
import android.widget.EditText
import android.widget.ListView
import android.widget.TextView
import java.io.File
import java.time.Duration
import org.junit.Assert.assertTrue
import org.robolectric.Robolectric
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController

/**
 * A phone with the app on its screen, used as a user does: through what is shown. It references none of the app's classes, so that it can
 * run the shrunk app, too. Meanwhile, the main thread is watched; the findings are in [violations] and in the figures.
 *
 * Tests that use it are annotated with `@LazyApplication(LazyApplication.LazyLoad.ON)`, so that the app's own start is watched.
 */
class Phone : AutoCloseable {
    private val monitor = MainThreadMonitor()
    private var controller: ActivityController<out Activity> = launch(null)

    val activity: Activity get() = controller.get()

    val violations: List<String> get() = monitor.found

    /** The root views of everything on the screen, including dialogs and menus, the front one last. */
    private val windows: List<View> get() = WindowManagerGlobal.getInstance().windowViews.filter { it.isShown }

    private fun launch(saved: Bundle?): ActivityController<out Activity> {
        val start = System.nanoTime()
        val application = RuntimeEnvironment.getApplication()
        monitor.guard()
        setFreeMemory(application, 4L shl 30)
        val intent = requireNotNull(application.packageManager.getLaunchIntentForPackage(application.packageName)) { "nothing to launch" }
        val type = application.classLoader.loadClass(intent.component!!.className).asSubclass(Activity::class.java)
        val controller = Robolectric.buildActivity(type, intent)
        if (saved == null) controller.setup() else controller.setup(saved)
        shadowOf(Looper.getMainLooper()).idle()
        draw(1f)
        check(monitor.isWatching(type)) { "$type is not one of the classes that are watched" }
        if (saved == null) Figures.add(Figures.ACTIVITY_START, (System.nanoTime() - start) / NANOS_PER_MILLI)
        return controller
    }

    /** The free memory that the system reports, in bytes. */
    fun setFreeMemory(bytes: Long) = setFreeMemory(activity, bytes)

    private fun setFreeMemory(context: Context, bytes: Long) = shadowOf(context.getSystemService(ActivityManager::class.java)).setMemoryInfo(
        ActivityManager.MemoryInfo().apply {
            availMem = bytes
            totalMem = 8L shl 30
            threshold = 200L shl 20
            lowMemory = bytes < threshold
        },
    )

    /** The last visible view with this id, because the end of a conversation is in view; otherwise a hidden one. */
    fun <T : View> findOrNull(id: Int): T? =
        every<T>(id).lastOrNull() ?: windows.asReversed().firstNotNullOfOrNull { it.findViewById<T>(id) }

    fun <T : View> find(id: Int): T = requireNotNull(findOrNull(id)) { "no ${name(id)} on the screen, which shows: ${words()}" }

    fun isShown(id: Int): Boolean = every<View>(id).isNotEmpty()

    fun text(id: Int): String = find<TextView>(id).text.toString()

    /** The texts in a view, or on the whole screen, in order. */
    fun words(view: View? = null): List<String> = (view?.let(::listOf) ?: windows).flatMap(::all)
        .filter { it.isShown }.filterIsInstance<TextView>().map { it.text.toString() }.filter { it.isNotBlank() }

    /** All views with this id on the screen. */
    fun <T : View> every(id: Int): List<T> {
        @Suppress("UNCHECKED_CAST")
        return windows.flatMap(::all).filter { it.id == id && it.isShown } as List<T>
    }

    fun tap(id: Int) = tap(find<View>(id))

    fun tap(view: View) {
        assertTrue("$view is not shown", view.isShown)
        assertTrue("$view is off", view.isEnabled)
        val list = view.parent as? AdapterView<*>
        val heard = if (list != null && !view.hasOnClickListeners()) {
            val place = list.getPositionForView(view)
            list.performItemClick(view, place, list.getItemIdAtPosition(place))
        } else {
            view.performClick() || view is CompoundButton
        }
        assertTrue("$view does nothing", heard)
        settle()
    }

    /** Taps the view with this text, or its clickable parent. */
    fun tap(words: String) {
        val texts = saying(words).ifEmpty { scrollTo(words) }
        require(texts.isNotEmpty()) { "nothing says \"$words\"; the screen shows: ${words()}" }
        val target = texts.firstNotNullOfOrNull(::targetOf)
        tap(requireNotNull(target) { "what says \"$words\" does nothing" })
    }

    private fun saying(words: String): List<View> =
        windows.asReversed().flatMap(::all).filter { it is TextView && it.isShown && it.text.toString() == words }

    /** Scrolls the list in front, a menu too long for the screen, until the text appears. */
    private fun scrollTo(words: String): List<View> {
        val list = windows.asReversed().flatMap(::all).firstOrNull { it is ListView && it.isShown } as ListView? ?: return emptyList()
        for (place in 0 until list.count) {
            list.setSelection(place)
            settle()
            saying(words).let { if (it.isNotEmpty()) return it }
        }
        return emptyList()
    }

    private fun targetOf(text: View): View? =
        generateSequence(text) { it.parent as? View }.firstOrNull { it.hasOnClickListeners() || it.parent is AdapterView<*> }

    fun longTap(view: View) {
        assertTrue("$view does nothing", view.performLongClick())
        settle()
    }

    fun type(id: Int, words: String) {
        find<EditText>(id).setText(words)
        settle()
    }

    fun settle() = shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(STEP_MILLIS))

    fun until(what: String, seconds: Int = 60, holds: () -> Boolean) {
        val end = System.nanoTime() + seconds * 1_000_000_000L
        while (true) {
            settle()
            if (holds()) return
            assertTrue("waited $seconds s in vain until $what; the screen shows: ${words()}", System.nanoTime() < end)
            Thread.sleep(5)
        }
    }

    /**
     * Rotates the phone, or changes a setting of it ("+night", "+ar-ldrtl"): the activity is destroyed and recreated from its saved state.
     */
    fun change(qualifiers: String) {
        RuntimeEnvironment.setQualifiers(qualifiers)
        controller.configurationChange()
        controller.visible()
        settle()
    }

    /** Back, as the button or the gesture. */
    fun back() {
        @Suppress("DEPRECATION")
        activity.onBackPressed()
        settle()
    }

    /** The user leaves the app and starts it again, before the system ends its process. */
    fun leaveAndReturn() {
        controller.pause().stop().destroy()
        settle()
        controller = launch(null)
    }

    /**
     * The system ends the app's process in the background, without notice, and the user comes back later: what remains are the app's files,
     * as they were at that moment, and the activity's saved state.
     */
    fun die() {
        val saved = Bundle()
        controller.pause().stop().saveInstanceState(saved)
        NewProcess.start { controller.destroy() }
        controller = launch(throughParcel(saved))
    }

    /** The system keeps only the bytes of a bundle. */
    private fun throughParcel(bundle: Bundle): Bundle {
        val parcel = Parcel.obtain()
        try {
            parcel.writeBundle(bundle)
            val bytes = parcel.marshall()
            assertTrue("${bytes.size} bytes saved are more than the system takes", bytes.size < MAX_SAVED_BYTES)
            parcel.unmarshall(bytes, 0, bytes.size)
            parcel.setDataPosition(0)
            return requireNotNull(parcel.readBundle(activity.classLoader))
        } finally {
            parcel.recycle()
        }
    }

    /** Writes the screen, at half its size, to <shots>/<name>.png. */
    fun shoot(name: String) {
        val folder = File(System.getProperty("pocketgemma.test.shots") ?: return).apply { mkdirs() }
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofMillis(500))
        windows.forEach { it.jumpDrawablesToCurrentState() }
        File(folder, "$name.png").outputStream().use { assertTrue(draw(0.5f).compress(Bitmap.CompressFormat.PNG, 100, it)) }
    }

    private fun draw(scale: Float): Bitmap {
        val screen = windows.first()
        val bitmap = Bitmap.createBitmap((screen.width * scale).toInt(), (screen.height * scale).toInt(), Bitmap.Config.ARGB_8888)
        for (window in windows) {
            val canvas = Canvas(bitmap).apply { scale(scale, scale) }
            val layout = window.layoutParams as WindowManager.LayoutParams
            if (layout.flags and WindowManager.LayoutParams.FLAG_DIM_BEHIND != 0) canvas.drawARGB((layout.dimAmount * 255).toInt(), 0, 0, 0)
            val place = IntArray(2).also(window::getLocationOnScreen)
            canvas.translate(place[0].toFloat(), place[1].toFloat())
            window.draw(canvas)
        }
        return bitmap
    }

    override fun close() {
        controller.pause().stop().destroy()
        settle()
        RuntimeEnvironment.getApplication().onTerminate()
        Figures.addNew(Figures.VIOLATIONS, violations)
        Figures.put(Figures.FILES_WATCHED, FileWatch.IS_POSSIBLE)
        monitor.close()
    }

    private fun all(view: View): List<View> =
        listOf(view) + ((view as? ViewGroup)?.let { group -> (0 until group.childCount).flatMap { all(group.getChildAt(it)) } }.orEmpty())

    private fun name(id: Int): String = activity.resources.getResourceEntryName(id)

    companion object {
        const val PORTRAIT = "w411dp-h891dp-port-420dpi"
        const val LANDSCAPE = "w891dp-h411dp-land-420dpi"

        private const val STEP_MILLIS = 50L
        private const val NANOS_PER_MILLI = 1_000_000

        /** A transaction with the system is limited to 1 MB, together with all others in progress. */
        private const val MAX_SAVED_BYTES = 200_000
    }
}
