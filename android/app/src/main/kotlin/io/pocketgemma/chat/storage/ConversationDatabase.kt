package io.pocketgemma.chat.storage

import android.content.Context
import android.database.sqlite.SQLiteDatabase
import android.database.sqlite.SQLiteDatabaseCorruptException
import android.database.sqlite.SQLiteException
import android.database.sqlite.SQLiteOpenHelper
import io.pocketgemma.chat.conversation.StorageTrouble
import java.io.Closeable
import java.io.File

/**
 * The file with the conversations. It is opened, and made or brought up to [schema], when it is first used. A damaged one is moved aside and
 * a new one begun; everything else that SQLite refuses is kept for [takeTrouble].
 *
 * One thread only.
 */
internal class ConversationDatabase(
    private val context: Context,
    private val name: String,
    private val schema: List<List<String>>,
    private val now: () -> Long,
) : Closeable {
    private var helper = Helper()
    private var trouble: StorageTrouble? = null

    fun takeTrouble(): StorageTrouble? = trouble.also { trouble = null }

    /** [otherwise]: what stands for an answer when there is none to be had. */
    fun <T> read(otherwise: T, action: (SQLiteDatabase) -> T): T = try {
        inSoundFile(action)
    } catch (error: SQLiteException) {
        trouble = StorageTrouble.NotRead(error.reason)
        otherwise
    }

    /** All of [action] or, if the system ends the app or the phone is full, nothing of it. Returns whether it was all. */
    fun write(action: (SQLiteDatabase) -> Unit): Boolean = try {
        inSoundFile { it.inTransaction { action(it) } }
        true
    } catch (error: SQLiteException) {
        trouble = StorageTrouble.NotWritten(error.reason)
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
        // What had not yet gone into the file itself belongs to it; the index of that can be made anew.
        File(file.path + "-wal").renameTo(File(aside.path + "-wal"))
        File(file.path + "-shm").delete()
        if (file.renameTo(aside)) trouble = StorageTrouble.Damaged(aside.name)
        helper = Helper()
    }

    /** The framework's own answer to damage, deleting the file, is what the handler that does nothing prevents. */
    private inner class Helper : SQLiteOpenHelper(context, name, null, schema.size, {}) {
        init {
            setWriteAheadLoggingEnabled(true)
        }

        override fun onConfigure(db: SQLiteDatabase) = db.setForeignKeyConstraintsEnabled(true)

        override fun onCreate(db: SQLiteDatabase) = onUpgrade(db, 0, schema.size)

        override fun onUpgrade(db: SQLiteDatabase, oldVersion: Int, newVersion: Int) =
            schema.subList(oldVersion, newVersion).flatten().forEach(db::execSQL)

        /** Of a later app: nobody knows here what is in it. */
        override fun onDowngrade(db: SQLiteDatabase, oldVersion: Int, newVersion: Int) =
            throw SQLiteDatabaseCorruptException("version $oldVersion is newer than $newVersion")

        override fun onOpen(db: SQLiteDatabase) = try {
            db.inTransaction {
                // Within a transaction it reaches the one connection that writes: what is deleted is overwritten, too.
                db.rawQuery("PRAGMA secure_delete = 1", null).use { it.moveToFirst() }
                db.execSQL(
                    "DELETE FROM conversation WHERE deleted = 1 OR (id IN (SELECT c.id FROM conversation c WHERE $EMPTY)" +
                        " AND id NOT IN (SELECT conversation FROM last_open))",
                )
            }
        } catch (damage: SQLiteDatabaseCorruptException) {
            throw damage
        } catch (_: SQLiteException) {
            // On a full phone the rest can still be read; what is hidden stays so, and goes the next time.
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
