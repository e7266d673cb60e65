package io.pocketgemma.chat.storage

import android.app.Application
import android.database.sqlite.SQLiteDatabase
import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ReplyStatus
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.conversation.StorageError
import io.pocketgemma.chat.model.ReplyMetrics
import java.io.File
import java.io.RandomAccessFile
import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** The file as another version of the app, or an accident, left it. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class)
class StoredFileTest {
    private val context = RuntimeEnvironment.getApplication()
    private val file: File = context.getDatabasePath(SqliteStorage.NAME).apply { parentFile!!.mkdirs() }
    private val talk = Conversation(5, "Metals", listOf(Message.Question(0, "Fe?"), Message.Reply(1, "Iron", ReplyStatus.Complete(null))))
    private val opened = mutableListOf<SqliteStorage>()

    private fun storage(schema: List<List<String>> = SCHEMA) = SqliteStorage(context, { 1234 }, SqliteStorage.NAME, schema).also { opened += it }

    @After
    fun close() = opened.forEach { it.close() }

    private fun stored(vararg conversations: Conversation) = storage().use { storage -> conversations.forEach { storage.write(it) } }

    /** The file of version 1 of the app, literally, so that no later change of the schema can break it. */
    private fun writeVersion1() = SQLiteDatabase.openOrCreateDatabase(file, null).use { db ->
        db.execSQL(
            "CREATE TABLE conversation (id INTEGER PRIMARY KEY, title TEXT NOT NULL, carried TEXT NOT NULL, draft TEXT NOT NULL, " +
                "scroll_message INTEGER, scroll_offset_dp INTEGER, changed_millis INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0)",
        )
        db.execSQL(
            "CREATE TABLE message (conversation INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE, position INTEGER NOT NULL, " +
                "role TEXT NOT NULL, status TEXT, detail TEXT, answered_by TEXT, seconds_to_first_token REAL, prompt_tokens INTEGER, " +
                "prompt_tokens_per_second REAL, tokens INTEGER, tokens_per_second REAL, memory_bytes INTEGER, text TEXT NOT NULL, " +
                "folded TEXT NOT NULL, PRIMARY KEY (conversation, position))",
        )
        db.execSQL("CREATE TABLE last_open (row INTEGER PRIMARY KEY CHECK (row = 0), conversation INTEGER NOT NULL)")
        db.execSQL("INSERT INTO conversation VALUES (5, 'Metals', 'of old', 'dra', 1, -7, 111, 0), (6, 'Other', '', '', NULL, NULL, 222, 0)")
        db.execSQL("INSERT INTO message VALUES (5, 0, 'question', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Große Öfen?', 'grosse ofen?')")
        db.execSQL("INSERT INTO message VALUES (5, 1, 'reply', 'complete', NULL, 'Gemma', 0.5, 3, 30.5, 4, 8.5, 99, 'Iron', 'iron')")
        db.execSQL("INSERT INTO message VALUES (6, 0, 'question', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Hi', 'hi')")
        db.execSQL("INSERT INTO message VALUES (6, 1, 'reply', 'some later status', 'x', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Ho', 'ho')")
        db.execSQL("INSERT INTO last_open VALUES (0, 6)")
        db.version = 1
    }

    @Test
    fun `a file of version 1 is read, searched and gone on with`() {
        writeVersion1()
        val storage = storage()
        val reply = Message.Reply(1, "Iron", ReplyStatus.Complete(ReplyMetrics(0.5, 3, 30.5, 4, 8.5, 99)), "Gemma")
        assertEquals(Conversation(5, "Metals", listOf(Message.Question(0, "Große Öfen?"), reply), "of old", "dra", ScrollPosition(1, -7)), storage.read(5))
        assertEquals(listOf(6L, 5L), storage.list().map { it.id })
        assertEquals(listOf(222L, 111L), storage.list().map { it.changedMillis })
        assertEquals(listOf(5L), storage.list("öfen").map { it.id })
        assertEquals(6L, storage.lastOpen())
        assertEquals(ReplyStatus.Stopped(null), (storage.read(6)?.messages?.last() as Message.Reply).status)
        storage.write(talk, unchanged = 0)
        assertEquals(talk, storage.read(5))
        assertNull(storage.takeError())
    }

    @Test
    fun `each step that a file has not seen is taken once, in order, and keeps what is there`() {
        stored(talk)
        val added = listOf(
            listOf("ALTER TABLE conversation ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0"),
            listOf("UPDATE conversation SET pinned = pinned + 1", "CREATE INDEX pins ON conversation (pinned)"),
        )
        repeat(2) { storage(SCHEMA + added).use { assertEquals(talk, it.read(5)) } }
        SQLiteDatabase.openDatabase(file.path, null, SQLiteDatabase.OPEN_READONLY).use { db ->
            assertEquals(SCHEMA.size + 2, db.version)
            db.rawQuery("SELECT pinned FROM conversation", null).use { assertTrue(it.moveToFirst() && it.getInt(0) == 1) }
        }
    }

    @Test
    fun `a step that breaks off leaves the file at the version before`() {
        stored(talk)
        val broken = listOf("ALTER TABLE conversation ADD COLUMN pinned INTEGER", "UPDATE nowhere SET pinned = 1")
        storage(SCHEMA.plusElement(broken)).use { assertEquals(emptyList<ConversationListItem>(), it.list()) }
        assertEquals(talk, storage().read(5))
    }

    private fun aside() = file.parentFile!!.listFiles()!!.filter { ".damaged-" in it.name && !it.name.endsWith("-wal") }

    private fun assertStartsAnew(storage: SqliteStorage) {
        assertEquals(emptyList<ConversationListItem>(), storage.list())
        assertEquals(StorageError.Damaged(aside().single().name), storage.takeError())
        assertNull(storage.takeError())
        assertTrue(storage.write(talk, unchanged = 1))
        assertEquals(talk, storage.read(5))
        storage.close()
        assertEquals(talk, storage().read(5))
        assertEquals("conversations.db.damaged-1234", aside().single().name)
    }

    @Test
    fun `a file that is no database is kept aside, and a new one begun`() {
        val content = ByteArray(10_000) { (it * 31).toByte() }
        file.writeBytes(content)
        assertStartsAnew(storage())
        assertArrayEquals(content, aside().single().readBytes())
    }

    @Test
    fun `a file that was cut is kept aside, and a new one begun`() {
        stored(*Array(200) { talk.copy(id = it.toLong(), title = "x".repeat(500)) })
        val whole = file.readBytes()
        file.writeBytes(whole.copyOf(whole.size / 2))
        assertStartsAnew(storage())
    }

    @Test
    fun `damage that shows only while the app runs is met when it is met`() {
        stored(*Array(200) { talk.copy(id = it.toLong(), title = "x".repeat(500)) })
        // Every page but the first: the tables are known, and no content can be read.
        RandomAccessFile(file, "rw").use { damaged ->
            damaged.seek(4096)
            damaged.write(ByteArray(file.length().toInt() - 4096) { 0x5A })
        }
        val storage = storage()
        storage.write(talk, unchanged = 2)
        assertEquals(StorageError.Damaged("conversations.db.damaged-1234"), storage.takeError())
        assertEquals(talk, storage.read(5))
        assertEquals(listOf(5L), storage.list().map { it.id })
    }

    @Test
    fun `a file of a later app is kept aside`() {
        stored(talk)
        SQLiteDatabase.openDatabase(file.path, null, SQLiteDatabase.OPEN_READWRITE).use { it.version = 99 }
        assertStartsAnew(storage())
    }

    @Test
    fun `what cannot be tidied up at the start stays hidden, and stops nothing`() {
        stored(talk, talk.copy(id = 6))
        SQLiteDatabase.openDatabase(file.path, null, SQLiteDatabase.OPEN_READWRITE).use { db ->
            db.execSQL("UPDATE conversation SET deleted = 1 WHERE id = 6")
            db.execSQL("CREATE TRIGGER full BEFORE DELETE ON conversation BEGIN SELECT RAISE(ABORT, 'no room'); END")
        }
        val storage = storage()
        assertEquals(listOf(5L), storage.list().map { it.id })
        assertEquals(talk, storage.read(5))
        assertNull(storage.takeError())
    }

    @Test
    fun `unreadable data is reported, and not taken for an empty storage`() {
        stored(talk)
        SQLiteDatabase.openDatabase(file.path, null, SQLiteDatabase.OPEN_READWRITE).use { it.execSQL("ALTER TABLE message RENAME TO elsewhere") }
        val storage = storage()
        assertEquals(emptyList<ConversationListItem>(), storage.list())
        assertTrue((storage.takeError() as StorageError.NotRead).detail.contains("no such table"))
    }

    @Test
    fun `a folder that cannot be written to is reported, and stops nothing`() {
        file.parentFile!!.deleteRecursively()
        file.parentFile!!.writeText("not a folder")
        val storage = storage()
        assertFalse(storage.write(talk))
        assertTrue(storage.takeError() is StorageError.NotWritten)
        assertNull(storage.read(5))
        assertNull(storage.lastOpen())
        assertTrue(storage.takeError() is StorageError.NotRead)
        assertEquals(emptyList<ConversationListItem>(), storage.list("x"))
        storage.purge()
    }
}
