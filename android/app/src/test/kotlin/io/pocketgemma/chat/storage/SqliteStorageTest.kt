package io.pocketgemma.chat.storage

import android.app.Application
import android.database.sqlite.SQLiteDatabase
import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.conversation.StorageError
import io.pocketgemma.chat.model.ModelProblem
import io.pocketgemma.chat.model.ReplyMetrics
import java.io.File
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class SqliteStorageTest {
    private val context = RuntimeEnvironment.getApplication()
    private val file: File = context.getDatabasePath(SqliteStorage.NAME)
    private var time = 1000L
    private var storage = SqliteStorage(context) { time }

    /** As the next start of the app finds it. */
    private fun restart() {
        storage.close()
        storage = SqliteStorage(context) { time }
    }

    @After
    fun close() = storage.close()

    private fun talk(id: Long, vararg texts: String, title: String = "Chat $id") =
        Conversation(id, title, texts.mapIndexed { index, text -> said(index, text) })

    private fun said(index: Int, text: String): Message =
        if (index % 2 == 0) Message.Question(index.toLong(), text) else Message.Reply(index.toLong(), text, ReplyStatus.Complete(null))

    private fun write(vararg conversations: Conversation) = conversations.forEach {
        time += 1000
        storage.write(it)
    }

    private fun ids(query: String = "") = storage.list(query).map { it.id }

    private fun <T> inFile(action: (SQLiteDatabase) -> T): T =
        SQLiteDatabase.openDatabase(file.path, null, SQLiteDatabase.OPEN_READWRITE).use(action)

    @Test
    fun `everything of a conversation survives a restart`() {
        val metrics = ReplyMetrics(0.25, 12, 345.5, 67, 8.5, memoryBytes = 5_000_000_000)
        val statuses = listOf(
            ReplyStatus.Complete(metrics), ReplyStatus.Complete(null), ReplyStatus.Stopped(metrics.copy(memoryBytes = null)),
            ReplyStatus.Stopped(null), ReplyStatus.ContextFull, ReplyStatus.NoModel(ModelProblem.TooLarge(3, 2, true)), ReplyStatus.Failed("why: 😀"),
        )
        val messages = statuses.flatMapIndexed { index, status ->
            listOf(
                Message.Question(2L * index, "Größe? 東京 😀 ' \" ; -- %"),
                Message.Reply(2L * index + 1, "**$index**\n\n| a |\n", status, answeredBy = "Gemma · Ädapter".takeIf { index % 2 == 0 }),
            )
        }
        val conversation = Conversation(Long.MIN_VALUE, "Über 'alles'", messages, "carried\nover", "a draft ", ScrollPosition(3, -17))
        storage.write(conversation)
        assertEquals(conversation, storage.read(conversation.id))
        restart()
        assertEquals(conversation, storage.read(conversation.id))
        assertNull(storage.takeError())
    }

    @Test
    fun `messages are numbered from 0, and a reply under way is read as stopped`() {
        storage.write(Conversation(1, "", listOf(Message.Question(40, "Q"), Message.Reply(41, "Half a", ReplyStatus.Active(stopping = true), "Gemma"))))
        val expected = listOf(Message.Question(0, "Q"), Message.Reply(1, "Half a", ReplyStatus.Stopped(null), "Gemma"))
        assertEquals(expected, storage.read(1)?.messages)
    }

    @Test
    fun `what is shorter, edited or emptied later is so when it is read`() {
        write(talk(1, "a", "b", "c", "d"))
        storage.write(talk(1, "a", "b", "C").copy(draft = "x", scroll = ScrollPosition(1, 2)), unchanged = 2)
        assertEquals(talk(1, "a", "b", "C").copy(draft = "x", scroll = ScrollPosition(1, 2)), storage.read(1))
        storage.write(talk(1, "a"), unchanged = 1)
        assertEquals(talk(1, "a"), storage.read(1))
        storage.write(talk(1))
        assertEquals(talk(1), storage.read(1))
    }

    @Test
    fun `only what changed at the end is written`() {
        write(talk(1, "a", "b", "c", "d"))
        inFile { db ->
            db.execSQL("CREATE TABLE written (position INTEGER)")
            db.execSQL("CREATE TRIGGER watch AFTER INSERT ON message BEGIN INSERT INTO written VALUES (new.position); END")
        }
        storage.write(talk(1, "a", "b", "c", "D", "e"), unchanged = 3)
        storage.write(talk(1, "a", "b", "c", "D", "e", "f"), unchanged = 0)
        storage.write(talk(1, "a", "b", "c", "D", "e", "f").copy(draft = "x"), unchanged = 6)
        val written = inFile { db -> db.rawQuery("SELECT position FROM written", null).use { rows -> List(rows.count) { rows.moveToNext().let { rows.getInt(0) } } } }
        assertEquals(listOf(3, 4, 5), written)
    }

    @Test
    fun `an interrupted write leaves the previous content, and is reported`() {
        val old = talk(1, "a", "b").copy(draft = "old", title = "Old")
        write(old)
        inFile { it.execSQL("CREATE TRIGGER full BEFORE INSERT ON message WHEN new.position = 3 BEGIN SELECT RAISE(ABORT, 'no room'); END") }
        storage.write(talk(1, "A", "B", "C", "D").copy(draft = "new", title = "New"))
        assertTrue((storage.takeError() as StorageError.NotWritten).detail.contains("no room"))
        assertNull(storage.takeError())
        restart()
        assertEquals(old, storage.read(1))
        inFile { it.execSQL("DROP TRIGGER full") }
        // The writer assumes that the first two were stored again.
        storage.write(talk(1, "a", "b", "C", "D", "E"), unchanged = 2)
        assertEquals(talk(1, "a", "b", "C", "D", "E"), storage.read(1))
    }

    @Test
    fun `ten thousand messages are written, added to and read in order`() {
        val texts = Array(10_000) { "message number $it " + "x".repeat(it % 700) }
        write(talk(1, *texts))
        storage.write(talk(1, *texts, "one more"), unchanged = 10_000)
        restart()
        assertEquals(talk(1, *texts, "one more"), storage.read(1))
        assertEquals(10_001, storage.list().single().messages)
        assertEquals(listOf(1L), ids("number 9999"))
    }

    @Test
    fun `texts of any length and any characters are kept`() {
        val long = "東京😀a".repeat(700_000)
        val conversation = talk(1, long, "short", long).copy(draft = long, summary = long, title = long)
        storage.write(conversation)
        assertEquals(conversation, storage.read(1))
        assertEquals("in the list only the beginning", 300, storage.list().single().title.let { it.codePointCount(0, it.length) })
        storage.write(talk(2, "a\u0000b\uD83Dc\uDE00d"))
        assertEquals("a\uFFFDb\uFFFDc\uFFFDd", storage.read(2)?.messages?.single()?.text)
        assertNull(storage.takeError())
    }

    @Test
    fun `the newest is first, and only messages make it new`() {
        write(talk(1, "a"), talk(2, "b"), talk(3, "c"))
        assertEquals(listOf(3L, 2L, 1L), ids())
        write(talk(1, "a").copy(draft = "x", scroll = ScrollPosition(0, 5)))
        storage.rename(2, "Renamed")
        assertEquals(listOf(3L, 2L, 1L), ids())
        write(talk(1, "a", "b"))
        assertEquals(listOf(1L, 3L, 2L), ids())
        assertEquals(time, storage.list().first().changedMillis)
        assertEquals("Renamed", storage.read(2)?.title)
    }

    @Test
    fun `a line shows the last thing said on one line, else the draft, else what was carried over`() {
        write(talk(1, "Question", "An answer\n\non   three\tlines"), talk(2, "Question", ""), talk(3).copy(draft = "to be said"), talk(4).copy(summary = "metals"))
        assertEquals(listOf("metals", "to be said", "Question", "An answer on three lines"), storage.list().map { it.snippet })
        assertEquals(listOf(0, 0, 2, 2), storage.list().map { it.messages })
        write(talk(5, "😀".repeat(500)))
        assertEquals("😀".repeat(80), storage.list().first().snippet)
    }

    @Test
    fun `an empty conversation is not listed, and not kept for the next start unless it is open`() {
        write(talk(1), talk(2).copy(draft = " \n\t"), talk(3, "a"), talk(4))
        storage.open(4)
        assertEquals(listOf(3L), ids())
        assertEquals(talk(1), storage.read(1))
        restart()
        assertEquals(listOf(null, null, 3L, 4L), (1L..4).map { storage.read(it)?.id })
    }

    @Test
    fun `a search finds words in titles and messages, whatever their case, accents and order`() {
        write(
            talk(1, "Wie groß ist der ÄTNA?", "Über 3300 m.", title = "Berge"),
            talk(2, "Çok ILIK bir gün", "Evet, İzmir'de ılık.", title = "Hava"),
            talk(3, "100% sure_thing \\o/ 😀", "50 percent", title = "Zeichen"),
            talk(4, "nothing", title = "GRÖSSE"),
        )
        assertEquals(listOf(1L), ids("ätna"))
        assertEquals(listOf(1L), ids("GROSS atna"))
        assertEquals(listOf(1L), ids("ATNA groß"))
        assertEquals(listOf(2L), ids("ılık"))
        assertEquals(listOf(2L), ids("Ilık IZMIR"))
        assertEquals(listOf(3L), ids("😀"))
        assertEquals(listOf(4L), ids("größe"))
        assertEquals(listOf(4L), ids("Grosse"))
        assertEquals("words of two messages are not one find", emptyList<Long>(), ids("ätna 3300"))
        assertEquals(listOf(4L, 3L, 2L, 1L), ids("  "))
    }

    @Test
    fun `signs that SQL gives a meaning to are only signs`() {
        write(talk(1, "100% sure"), talk(2, "100 percent sure"), talk(3, "snake_case"), talk(4, "snakeXcase"), talk(5, "back\\slash"), talk(6, "it's \"so\""))
        assertEquals(listOf(1L), ids("100%"))
        assertEquals(listOf(3L), ids("snake_"))
        assertEquals(listOf(5L), ids("\\"))
        assertEquals(listOf(6L), ids("'"))
        assertEquals(listOf(6L), ids("\"so\""))
        assertEquals(emptyList<Long>(), ids("' OR 1=1 --"))
        assertEquals(emptyList<Long>(), ids("x".repeat(200_000)))
        assertEquals(emptyList<Long>(), ids((1..5000).joinToString(" ")))
        assertNull(storage.takeError())
    }

    @Test
    fun `a search shows the last message that has the words, around them`() {
        val found = "filling ".repeat(50) + "the NEEDLE in\nthe hay"
        write(talk(1, "an early needle", found, "and the end", title = "Farm"), talk(2, "hay only", title = "Needles"))
        val (title, message) = storage.list("needle")
        assertEquals("hay only", title.snippet)
        assertEquals("…filling filling filling filling the NEEDLE in the hay", message.snippet)
        storage.write(talk(1, "an early needle", "changed", "and the end", title = "Farm"), unchanged = 1)
        assertEquals("an early needle", storage.list("needle").first { it.id == 1L }.snippet)
    }

    @Test
    fun `what is deleted is hidden from everything until it is restored`() {
        write(talk(1, "iron"), talk(2, "gold"))
        storage.open(1)
        storage.delete(1)
        assertEquals(listOf(2L), ids())
        assertEquals(emptyList<Long>(), ids("iron"))
        assertNull(storage.read(1))
        assertNull(storage.lastOpen())
        storage.restore(1)
        assertEquals(listOf(2L, 1L), ids())
        assertEquals(talk(1, "iron"), storage.read(1))
        assertEquals(1L, storage.lastOpen())
    }

    @Test
    fun `a late write neither restores a deleted conversation nor is lost after an undo`() {
        write(talk(1, "a"))
        storage.delete(1)
        storage.write(talk(1, "a", "b"), unchanged = 1)
        assertEquals(emptyList<Long>(), ids())
        storage.restore(1)
        assertEquals(talk(1, "a", "b"), storage.read(1))
    }

    @Test
    fun `what was deleted is gone with the purge, and with the next start, and leaves no trace in the files`() {
        val secret = "verschwiegenes Geheimnis "
        fun traces() = file.parentFile!!.listFiles()!!.filter { secret in it.readBytes().toString(Charsets.ISO_8859_1) }
        write(talk(1, "keep"), talk(2, *Array(50) { secret.repeat(100) }), talk(3, *Array(50) { secret }))
        assertTrue(traces().isNotEmpty())
        storage.delete(2)
        storage.purge()
        storage.restore(2)
        assertEquals(listOf(3L, 1L), ids())
        storage.delete(3)
        restart()
        storage.restore(3)
        assertEquals(listOf(1L), ids())
        storage.close()
        assertEquals(emptyList<File>(), traces())
    }

    @Test
    fun `a purge leaves no trace while the app runs on`() {
        write(talk(1, "keep"), talk(2, "verschwiegen"))
        storage.delete(2)
        storage.purge()
        val files = file.parentFile!!.listFiles()!!.filter { "verschwiegen" in it.readBytes().toString(Charsets.ISO_8859_1) }
        assertEquals(emptyList<File>(), files)
    }

    @Test
    fun `one that was purged while it was still open is written whole again`() {
        write(talk(1, "a", "b"))
        storage.delete(1)
        storage.purge()
        storage.write(talk(1, "a", "b", "c"), unchanged = 2)
        assertEquals(talk(1, "a", "b", "c"), storage.read(1))
    }

    @Test
    fun `the conversation that was open last is known after a restart`() {
        assertNull(storage.lastOpen())
        write(talk(1, "a"), talk(2, "b"))
        storage.open(2)
        storage.open(1)
        restart()
        assertEquals(1L, storage.lastOpen())
        storage.open(77)
        assertNull("never stored", storage.lastOpen())
    }

    @Test
    fun `nothing is opened before it is needed`() {
        assertTrue(!file.exists())
        storage.list()
        assertTrue(file.exists())
    }
}
