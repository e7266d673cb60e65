package io.pocketgemma.chat.journey

import android.view.View
import android.widget.TextView
import io.pocketgemma.chat.Accessibility
import io.pocketgemma.chat.R
import io.pocketgemma.chat.TestModels
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** Visits every screen in every variant, checks its accessibility, and takes the screenshots for android/screenshots. */
class PicturesJourneyTest : JourneyTest() {
    private fun Phone.look(screen: String, variant: String) {
        shoot("$screen-$variant")
        assertEquals("$screen, $variant", emptyList<String>(), Accessibility.faults(find(R.id.root)))
    }

    private fun walk(variant: String) = journey {
        untilReady()
        look("empty", variant)
        askTaught()
        for (question in listOf("Which element has the symbol Hg?", "What kind of element is chlorine?")) {
            ask(question)
            untilReplied()
        }
        look("chat", variant)
        tap(R.id.open_chats)
        until("the chat is listed") { isShown(R.id.chat_title) }
        look("chats", variant)
        close(R.id.chats_page)
        for ((name, page, title) in listOf(
            Triple("models", R.id.models_page, R.string.page_models),
            Triple("settings", R.id.settings_page, R.string.page_settings),
            Triple("about", R.id.about_page, R.string.page_about),
        )) {
            open(title, page)
            look(name, variant)
            close(page)
        }
        compare(variant)
        benchmark(variant)
        if (variant == "light") assertEverythingHasPictures()
    }

    private fun Phone.compare(variant: String) {
        open(R.string.page_compare, R.id.compare_page)
        type(R.id.compare_input, TestModels.question)
        until("they can be asked") { find<View>(R.id.compare_ask).isEnabled }
        tap(R.id.compare_ask)
        until("both have answered") {
            find<View>(R.id.compare_ask).contentDescription == say(R.string.compare_ask) && isShown(R.id.before_text) && isShown(R.id.after_text)
        }
        look("compare", variant)
        close(R.id.compare_page)
    }

    private fun Phone.benchmark(variant: String) {
        open(R.string.page_benchmark, R.id.benchmark_page)
        tap(R.id.benchmark_start)
        until("the median is shown", seconds = 180) {
            isShown(R.id.benchmark_result) && find<TextView>(R.id.benchmark_start).text.toString() == say(R.string.benchmark_start)
        }
        look("benchmark", variant)
        close(R.id.benchmark_page)
    }

    private fun assertEverythingHasPictures() {
        val pages = R.id::class.java.fields.map { it.name }.filter { it.endsWith("_page") }.map { it.removeSuffix("_page") }
        assertTrue("$pages", pages.toSet() == setOf("chat", "chats", "models", "settings", "about", "compare", "benchmark"))
    }

    @Test
    fun `in the light`() = walk("light")

    @Test
    @Config(qualifiers = "+night")
    fun `in the dark`() = walk("dark")

    @Test
    fun `with letters twice as large`() {
        RuntimeEnvironment.setFontScale(2f)
        walk("large")
    }

    @Test
    @Config(qualifiers = Phone.LANDSCAPE)
    fun `turned on its side`() = walk("landscape")

    @Test
    @Config(qualifiers = "+ar-ldrtl")
    fun `written from the right`() = walk("rtl")

    @Test
    @Config(qualifiers = "+de")
    fun `in German`() = walk("german")
}
