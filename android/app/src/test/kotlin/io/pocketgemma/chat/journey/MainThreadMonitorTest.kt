package io.pocketgemma.chat.journey

import android.content.Context
import java.io.File
import java.util.concurrent.FutureTask
import java.util.concurrent.atomic.AtomicBoolean
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** The monitor finds what it watches for, with this class in the role of the app. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = android.app.Application::class)
class MainThreadMonitorTest {
    @get:Rule
    val folder = TemporaryFolder()

    private val context: Context get() = RuntimeEnvironment.getApplication()

    private fun found(door: (String) -> Boolean = { false }, act: () -> Unit): List<String> =
        MainThreadMonitor({ it.startsWith(MainThreadMonitorTest::class.java.name) }, door).use { monitor ->
            act()
            monitor.found
        }

    private fun assertFound(found: List<String>, what: String) =
        assertTrue("$what is not in $found", found.any { what in it && MainThreadMonitorTest::class.java.name in it })

    @Test
    fun `reading, asking for, writing and deleting a file is found`() {
        assumeTrue(FileWatch.IS_POSSIBLE)
        val file = File(folder.root, "a.txt")
        assertFound(found { file.exists() }, "looks at $file")
        assertFound(found { file.writeText("a") }, "writes $file")
        assertFound(found { file.readText() }, "looks at $file")
        assertFound(found { file.delete() }, "deletes $file")
    }

    @Test
    fun `using the database is found`() {
        val database = context.openOrCreateDatabase("a.db", Context.MODE_PRIVATE, null)
        assertFound(found { database.execSQL("create table a (b)") }, "writes to the database")
        assertFound(found { database.rawQuery("select * from a", null).use { it.count } }, "reads the database")
        database.close()
    }

    @Test
    fun `the first reading of preferences is found`() {
        File(context.applicationInfo.dataDir, "shared_prefs").mkdirs()
        assertFound(found { context.getSharedPreferences("a", Context.MODE_PRIVATE).getInt("b", 0) }, "")
    }

    @Test
    fun `a call of the native library is found`() {
        val found = found({ it == Thread::class.java.name }) { Thread.sleep(200) }
        assertEquals(listOf("calls the runtime: java.lang.Thread.sleep"), found)
    }

    @Test
    fun `the same on another thread is not reported`() {
        val file = File(folder.root, "a.txt")
        val isWatched = AtomicBoolean()
        val work = FutureTask {
            while (!isWatched.get()) Thread.onSpinWait()
            file.writeText("a")
            Thread.sleep(50)
            context.openOrCreateDatabase("b.db", Context.MODE_PRIVATE, null).use { it.execSQL("create table a (b)") }
        }
        Thread(work).start() // before the monitor: starting and waiting are native calls of this thread
        val found = found({ it == Thread::class.java.name }) {
            isWatched.set(true)
            while (!work.isDone) Thread.onSpinWait()
        }
        work.get()
        assertEquals("a", file.readText())
        assertEquals(emptyList<String>(), found)
    }
}
