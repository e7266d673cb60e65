package io.pocketgemma.chat.storage

import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.DatabaseUtils
import android.database.sqlite.SQLiteDatabase
import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.ConversationListItem
import io.pocketgemma.chat.conversation.ConversationStorage
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.conversation.ScrollPosition
import io.pocketgemma.chat.conversation.StorageError
import io.pocketgemma.chat.text.singleLine
import io.pocketgemma.chat.text.truncated

/**
 * Conversations in SQLite. Used on a single thread; created on any thread, because the file is opened on first use.
 *
 * @param now milliseconds since 1970.
 */
class SqliteStorage internal constructor(
    context: Context,
    private val now: () -> Long,
    name: String,
    schema: List<List<String>>,
) : ConversationStorage {
    constructor(context: Context, now: () -> Long) : this(context, now, NAME, SCHEMA)

    private val database = ConversationDatabase(context, name, schema, now)

    override fun list(query: String): List<ConversationListItem> = database.read(emptyList()) { db ->
        val words = SearchText.words(query)
        val lines = lines(db)
        if (words.isEmpty()) return@read lines
        val found = found(db, words)
        lines.mapNotNull { line ->
            val position = found[line.id]
            val title = SearchText.fold(line.title)
            when {
                position != null -> line.copy(snippet = SearchText(text(db, line.id, position)).around(words))
                words.all { it in title } -> line
                else -> null
            }
        }
    }

    private fun lines(db: SQLiteDatabase): List<ConversationListItem> = db.rawQuery(
        """
        SELECT c.id, substr(c.title, 1, $LINE), c.changed_millis,
            (SELECT COUNT(*) FROM message m WHERE m.conversation = c.id),
            COALESCE(
                (SELECT substr(m.text, 1, $LINE) FROM message m WHERE m.conversation = c.id AND m.text <> '' ORDER BY m.position DESC LIMIT 1),
                NULLIF(substr(c.draft, 1, $LINE), ''),
                substr(c.carried, 1, $LINE))
        FROM conversation c WHERE c.deleted = 0 AND NOT ($EMPTY) ORDER BY c.changed_millis DESC, c.id
        """,
        null,
    ).all { ConversationListItem(getLong(0), getString(1), getString(4).singleLine().truncated(SearchText.SNIPPET), getLong(2), getInt(3)) }

    /** For each conversation with a message that contains all [words], the position of the last such message. */
    private fun found(db: SQLiteDatabase, words: List<String>): Map<Long, Int> = db.rawQuery(
        // instr, because LIKE interprets % and _ and rejects long patterns.
        "SELECT conversation, MAX(position) FROM message WHERE ${words.joinToString(" AND ") { "instr(folded, ?) > 0" }} GROUP BY conversation",
        words.toTypedArray(),
    ).all { getLong(0) to getInt(1) }.toMap()

    override fun read(id: Long): Conversation? = database.read(null) { db ->
        val whole = "id = $id AND deleted = 0"
        db.rawQuery("SELECT scroll_message, scroll_offset_dp FROM conversation WHERE $whole", null).all {
            Conversation(
                id = id,
                title = wholeText(db, "title", "conversation", whole),
                messages = messages(db, id, from = 0),
                summary = wholeText(db, "carried", "conversation", whole),
                draft = wholeText(db, "draft", "conversation", whole),
                scroll = if (isNull(0)) null else ScrollPosition(getInt(0), getInt(1)),
            )
        }.singleOrNull()
    }

    private fun messages(db: SQLiteDatabase, id: Long, from: Int): List<Message> = db.rawQuery(
        "SELECT $MESSAGE_COLUMNS, CASE WHEN length(text) <= $LONG THEN text END FROM message" +
            " WHERE conversation = $id AND position >= $from ORDER BY position",
        null,
    ).all { storedMessage(this, getString(columnCount - 1) ?: text(db, id, getInt(0))) }

    private fun text(db: SQLiteDatabase, id: Long, position: Int): String =
        wholeText(db, "text", "message", "conversation = $id AND position = $position")

    /** Not through a cursor, which is limited to 2 MB. */
    private fun wholeText(db: SQLiteDatabase, column: String, table: String, row: String): String =
        DatabaseUtils.stringForQuery(db, "SELECT $column FROM $table WHERE $row", null)

    override fun lastOpen(): Long? = database.read(null) { db ->
        db.rawQuery("SELECT id FROM last_open JOIN conversation ON id = conversation WHERE deleted = 0", null).all { getLong(0) }.singleOrNull()
    }

    override fun open(id: Long) {
        database.write { it.execSQL("INSERT OR REPLACE INTO last_open (row, conversation) VALUES (0, $id)") }
    }

    override fun write(conversation: Conversation, unchanged: Int): Boolean = database.write { db ->
        val id = conversation.id
        writeHead(db, conversation)
        val messages = conversation.messages.mapIndexed { position, message -> message.asStored(position) }
        val stored = DatabaseUtils.longForQuery(db, "SELECT COUNT(*) FROM message WHERE conversation = $id", null).toInt()
        val known = minOf(unchanged, stored, messages.size)
        val from = known + messages(db, id, known).zip(messages.drop(known)).takeWhile { (old, new) -> old == new }.size
        if (from == stored && from == messages.size) return@write
        db.execSQL("DELETE FROM message WHERE conversation = $id AND position >= $from")
        messages.drop(from).forEach { db.insertOrThrow("message", null, it.toRow(id)) }
        db.execSQL("UPDATE conversation SET changed_millis = ${now()} WHERE id = $id")
    }

    /** Everything but the messages. */
    private fun writeHead(db: SQLiteDatabase, conversation: Conversation) {
        val head = ContentValues().apply {
            put("title", conversation.title.storable())
            put("carried", conversation.summary.storable())
            put("draft", conversation.draft.storable())
            put("scroll_message", conversation.scroll?.message)
            put("scroll_offset_dp", conversation.scroll?.offsetDp)
        }
        if (db.update("conversation", head, "id = ${conversation.id}", null) > 0) return
        head.put("id", conversation.id)
        head.put("changed_millis", now())
        db.insertOrThrow("conversation", null, head)
    }

    override fun rename(id: Long, title: String) {
        database.write { it.execSQL("UPDATE conversation SET title = ? WHERE id = $id", arrayOf(title.storable())) }
    }

    override fun delete(id: Long) {
        database.write { it.execSQL("UPDATE conversation SET deleted = 1 WHERE id = $id") }
    }

    override fun restore(id: Long) {
        database.write { it.execSQL("UPDATE conversation SET deleted = 0 WHERE id = $id") }
    }

    override fun purge() {
        database.write { it.execSQL("DELETE FROM conversation WHERE deleted = 1") }
        // Until this, the write-ahead log still contains deleted content.
        database.read(Unit) { db -> db.rawQuery("PRAGMA wal_checkpoint(TRUNCATE)", null).use { it.moveToFirst() } }
    }

    override fun takeError(): StorageError? = database.takeError()

    override fun close() = database.close()

    companion object {
        /** The file in the app's database folder. */
        const val NAME = "conversations.db"

        /** Number of characters from which a line of the list is created. */
        private const val LINE = 300

        /** A text with more characters (of at most four bytes each) is read separately. */
        private const val LONG = 100_000
    }
}

private inline fun <T> Cursor.all(row: Cursor.() -> T): List<T> = use { cursor -> buildList { while (cursor.moveToNext()) add(cursor.row()) } }
