package io.pocketgemma.chat.storage

import android.content.Context
import android.database.sqlite.SQLiteDatabase
import android.database.sqlite.SQLiteDatabaseCorruptException
import android.database.sqlite.SQLiteException
import android.database.sqlite.SQLiteOpenHelper
import io.pocketgemma.chat.conversation.StorageError
import java.io.Closeable
import java.io.File

/**
 * The database file with the conversations. It is opened, and created or migrated to [schema], when it is first used. A damaged one is
 * moved aside and a new one created; every other error of SQLite is kept for [takeError].
 *
 * Single-threaded.
 */
internal class ConversationDatabase(
    private val context: Context,
    private val name: String,
    private val schema: List<List<String>>,
    private val now: () -> Long,
) : Closeable {
    private var helper = Helper()
    private var storageError: StorageError? = null

    fun takeError(): StorageError? = storageError.also { storageError = null }

    /** [otherwise]: the result if the database cannot be used. */
    fun <T> read(otherwise: T, action: (SQLiteDatabase) -> T): T = try {
        inSoundFile(action)
    } catch (error: SQLiteException) {
        storageError = StorageError.NotRead(error.reason)
        otherwise
    }

    /** Runs [action] completely or, if the system ends the app or the storage is full, not at all. Returns whether it ran. */
    fun write(action: (SQLiteDatabase) -> Unit): Boolean = try {
        inSoundFile { it.inTransaction { action(it) } }
        true
    } catch (error: SQLiteException) {
        storageError = StorageError.NotWritten(error.reason)
        false
    }

    override fun close() = helper.close()

    private fun <T> inSoundFile(action: (SQLiteDatabase) -> T): T = try {
        action(helper.writableDatabase)
    } catch (_: SQLiteDatabaseCorruptException) {
        moveAside()
        action(helper.writableDatabase)
    }

    private fun moveAside() {
        helper.close()
        val file = context.getDatabasePath(name)
        val aside = File(file.path + ".damaged-" + now())
        // The write-ahead log belongs to the database; its index can be recreated.
        File(file.path + "-wal").renameTo(File(aside.path + "-wal"))
        File(file.path + "-shm").delete()
        if (file.renameTo(aside)) storageError = StorageError.Damaged(aside.name)
        helper = Helper()
    }

    /** The handler that does nothing prevents the framework's default reaction to damage, deleting the file. */
    private inner class Helper : SQLiteOpenHelper(context, name, null, schema.size, {}) {
        init {
            setWriteAheadLoggingEnabled(true)
        }

        override fun onConfigure(db: SQLiteDatabase) = db.setForeignKeyConstraintsEnabled(true)

        override fun onCreate(db: SQLiteDatabase) = onUpgrade(db, 0, schema.size)

        override fun onUpgrade(db: SQLiteDatabase, oldVersion: Int, newVersion: Int) =
            schema.subList(oldVersion, newVersion).flatten().forEach(db::execSQL)

        /** From a later app version: its content is unknown here. */
        override fun onDowngrade(db: SQLiteDatabase, oldVersion: Int, newVersion: Int) =
            throw SQLiteDatabaseCorruptException("version $oldVersion is newer than $newVersion")

        override fun onOpen(db: SQLiteDatabase) = try {
            db.inTransaction {
                // Within a transaction, this affects the one connection that writes: deleted content is overwritten, too.
                db.rawQuery("PRAGMA secure_delete = 1", null).use { it.moveToFirst() }
                db.execSQL(
                    "DELETE FROM conversation WHERE deleted = 1 OR (id IN (SELECT c.id FROM conversation c WHERE $EMPTY)" +
                        " AND id NOT IN (SELECT conversation FROM last_open))",
                )
            }
        } catch (damage: SQLiteDatabaseCorruptException) {
            throw damage
        } catch (_: SQLiteException) {
            // If the storage is full, the rest can still be read; hidden conversations stay hidden and are removed the next time.
        }
    }
}

private val SQLiteException.reason: String get() = message ?: javaClass.simpleName

private inline fun SQLiteDatabase.inTransaction(action: () -> Unit) {
    beginTransactionNonExclusive()
    try {
        action()
        setTransactionSuccessful()
    } finally {
        endTransaction()
    }
}
