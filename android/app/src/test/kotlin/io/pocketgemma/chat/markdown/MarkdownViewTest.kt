package io.pocketgemma.chat.markdown

import android.app.Activity
import android.graphics.Bitmap
import android.graphics.Canvas
import android.os.Looper
import android.text.Spanned
import android.text.style.StyleSpan
import android.view.View
import android.view.ViewGroup
import android.widget.HorizontalScrollView
import android.widget.ImageButton
import android.widget.ScrollView
import android.widget.TableLayout
import android.widget.TableRow
import android.widget.TextView
import io.pocketgemma.chat.Accessibility
import io.pocketgemma.chat.R
import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotSame
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

@RunWith(RobolectricTestRunner::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
@Config(sdk = [35], qualifiers = "w411dp-h1400dp-port-420dpi")
class MarkdownViewTest {
    private val activity: Activity by lazy {
        Robolectric.buildActivity(Activity::class.java).also { it.get().setTheme(R.style.Theme_Chat) }.setup().get()
    }
    private val view by lazy {
        MarkdownView(activity).also { view -> activity.setContentView(ScrollView(activity).apply { addView(view) }) }
    }

    private fun show(text: String, streaming: Boolean = false): MarkdownView {
        view.show(text, streaming)
        shadowOf(Looper.getMainLooper()).idle()
        return view
    }

    private fun all(place: View): List<View> =
        listOf(place) + ((place as? ViewGroup)?.let { group -> (0 until group.childCount).flatMap { all(group.getChildAt(it)) } }.orEmpty())

    private fun texts(place: View) = all(place).filterIsInstance<TextView>()

    private fun left(view: View) = IntArray(2).also(view::getLocationInWindow)[0]

    private fun right(view: View) = left(view) + view.width

    private fun textWith(words: String) = texts(view).single { words in it.text }

    @Test
    fun `every word is shown and can be selected`() {
        show(Sample.text)
        val shown = texts(view).filter { it.isTextSelectable }.joinToString("\n") { it.text }
        for (word in listOf("Iron", "cobalt", "slowly", "def cool(t):", "1538 °C", "Everything flows.", "over a line", "<b>HTML</b>")) {
            assertTrue("$word is not in $shown", word in shown)
        }
        assertFalse(shown, "**" in shown.replace("**not bold**", ""))
    }

    @Test
    fun `bold words are bold`() {
        val text = show("a **bold** word").getChildAt(0) as TextView
        val span = (text.text as Spanned).getSpans(2, 6, StyleSpan::class.java).single()
        assertEquals(android.graphics.Typeface.BOLD, span.style)
    }

    @Test
    fun `headings are headings to a screen reader, and larger than the text`() {
        show("# One\n\n## Two\n\n### Three\n\n###### Six\n\ntext")
        val (one, two, three, six, text) = (0 until 5).map { view.getChildAt(it) as TextView }
        listOf(one, two, three, six).forEach { assertTrue(it.isAccessibilityHeading) }
        assertFalse(text.isAccessibilityHeading)
        assertTrue(one.textSize > two.textSize && two.textSize > three.textSize && three.textSize > text.textSize)
    }

    @Test
    fun `the button beside code hands over the code as it is`() {
        val copied = ArrayList<String>()
        show("```kotlin\nval a = 1\n\nval b = \"*x*\"\n```").onCopy = copied::add
        val button = all(view).filterIsInstance<ImageButton>().single()
        assertEquals(activity.getString(R.string.markdown_copy_code), button.contentDescription)
        val touch = (48 * activity.resources.displayMetrics.density).toInt()
        assertTrue("${button.width} x ${button.height}", button.width >= touch && button.height >= touch)
        button.performClick()
        assertEquals(listOf("val a = 1\n\nval b = \"*x*\""), copied)
        assertEquals("kotlin", view.findViewById<TextView>(R.id.markdown_language).text)
    }

    @Test
    fun `long lines of code scroll and do not wrap`() {
        show("```\n${"long ".repeat(100)}\n```")
        val code = view.findViewById<TextView>(R.id.markdown_code_text)
        assertEquals(1, code.lineCount)
        assertTrue(code.width > view.width)
        assertTrue((code.parent as HorizontalScrollView).canScrollHorizontally(1))
    }

    @Test
    fun `a table has its cells, its header is bold, and it scrolls when it is wide`() {
        show("| A | B | C | D |\n|:--|:-:|--:|---|\n| 1 | 2 | 3 | **4** |\n| ${"wide words ".repeat(9).trim()} | ${"x ".repeat(60)} | z | w |")
        val table = view.findViewById<TableLayout>(R.id.markdown_rows)
        val cells = (0 until table.childCount).map { row -> texts(table.getChildAt(row)) }
        assertEquals(listOf("A", "B", "C", "D"), cells[0].map { it.text.toString() })
        assertEquals(listOf("1", "2", "3", "4"), cells[1].map { it.text.toString() })
        assertTrue(cells[0].all { it.typeface.isBold } && cells[1].none { it.typeface.isBold })
        val alignments = listOf(View.TEXT_ALIGNMENT_VIEW_START, View.TEXT_ALIGNMENT_CENTER, View.TEXT_ALIGNMENT_VIEW_END)
        assertEquals(alignments, cells[1].take(3).map { it.textAlignment })
        assertTrue((table.parent as HorizontalScrollView).canScrollHorizontally(1))
        val widest = activity.resources.getDimensionPixelSize(R.dimen.markdown_cell_width)
        assertTrue(cells.flatten().all { it.width <= widest })
        assertTrue("a long cell wraps", cells[2][1].lineCount > 1)
        cells.forEach { row -> assertEquals("cells of a row are of one height", 1, row.map { it.height }.toSet().size) }
    }

    @Test
    fun `lists are numbered as the text says, and nest inwards`() {
        show("9. nine\n10. ten\n    - deep\n\nafter")
        assertEquals(listOf("9.", "nine", "10.", "ten", "•", "deep", "after"), texts(view).map { it.text.toString() })
        assertTrue(left(textWith("after")) < left(textWith("nine")))
        assertTrue(left(textWith("nine")) < left(textWith("deep")))
    }

    @Test
    @Config(qualifiers = "+ar-ldrtl")
    fun `where one writes from the right, lists and quotes begin there, and code does not`() {
        show("- item\n\n> quoted\n\n```\ncode\n```")
        assertTrue(right(textWith("item")) < right(textWith("•")))
        assertTrue(right(textWith("quoted")) < view.width)
        val code = view.findViewById<TextView>(R.id.markdown_code_text)
        assertTrue(left(code) < view.width / 4)
    }

    @Test
    @Config(fontScale = 2.0f)
    fun `large letters are large everywhere, and nothing is cut off`() {
        show(Sample.text)
        val density = activity.resources.displayMetrics.density
        assertTrue(textWith("Last words").textSize / density > 28)
        for (text in texts(view).filter { it.isTextSelectable }) {
            assertTrue("${text.text} is cut", text.height >= text.layout.height)
            assertTrue(text.textSize / density > 20)
        }
    }

    @Test
    fun `while a text grows, the views of what is written stay`() {
        val views = ArrayList<View>()
        for (length in 1..Sample.text.length) {
            view.show(Sample.text.take(length), streaming = true)
            val kept = (view.childCount - 2).coerceAtLeast(0)
            for (index in 0 until minOf(kept, views.size)) assertSame(views[index], view.getChildAt(index))
            while (views.size < kept) views += view.getChildAt(views.size)
        }
        assertTrue(views.size > 8)
        view.show(Sample.text, streaming = false)
        views.forEachIndexed { index, child -> assertSame("at its end too", child, view.getChildAt(index)) }
    }

    @Test
    fun `what is selected in a paragraph stays selected while the text grows`() {
        show("A first paragraph.\n\nA second one.\n\nA th", streaming = true)
        val first = view.getChildAt(0) as TextView
        android.text.Selection.setSelection(first.text as android.text.Spannable, 2, 7)
        show("A first paragraph.\n\nA second one.\n\nA third one.\n\n- and", streaming = true)
        assertSame(first, view.getChildAt(0))
        assertEquals(2 to 7, first.selectionStart to first.selectionEnd)
    }

    @Test
    fun `another text takes the place of the one before`() {
        show("# One\n\n- two\n\n| a |\n|---|\n| b |")
        val table = view.getChildAt(2)
        show("three\n\n- four\n- five\n\n| a | b |\n|---|---|")
        assertEquals(listOf("three", "•", "four", "•", "five", "a", "b"), texts(view).map { it.text.toString() })
        assertSame("the view of a block of the same kind is used again", table, view.getChildAt(2))
        assertEquals(2, (view.findViewById<TableLayout>(R.id.markdown_rows).getChildAt(0) as TableRow).childCount)
        show("")
        assertEquals(0, view.childCount)
        show("```\na\n```")
        assertNotSame(table, view.getChildAt(0))
    }

    private fun assertReadable() {
        val surface = activity.getColor(R.color.markdown_code_surface)
        show("some `code`\n\n```kotlin\ncode\n```")
        for (text in texts(view)) {
            assertTrue("${text.text}", Accessibility.contrast(surface, text.currentTextColor) >= Accessibility.TEXT_CONTRAST)
        }
    }

    @Test
    fun `code can be read on its own background, in the light`() = assertReadable()

    @Test
    @Config(qualifiers = "+night")
    fun `code can be read on its own background, in the dark`() = assertReadable()

    private fun shoot(name: String) {
        show(Sample.text)
        val content = view.parent as View
        val bitmap = Bitmap.createBitmap(content.width, content.height, Bitmap.Config.ARGB_8888)
        content.rootView.draw(Canvas(bitmap))
        val folder = File(System.getProperty("pocketgemma.test.shots") ?: return, "pages").apply { mkdirs() }
        File(folder, "$name.png").outputStream().use { assertTrue(bitmap.compress(Bitmap.CompressFormat.PNG, 100, it)) }
    }

    @Test
    fun `in the light`() = shoot("markdown-light")

    @Test
    @Config(qualifiers = "+night")
    fun `in the dark`() = shoot("markdown-dark")
}
