package io.pocketgemma.chat.library

import android.app.ActivityManager
import android.content.ContentProvider
import android.content.ContentValues
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.provider.OpenableColumns
import io.pocketgemma.chat.TestModels
import java.io.ByteArrayInputStream
import java.io.IOException
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config

/** Calls to Android itself: files of other apps, folders, assets, and memory. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class AndroidTest {
    /** Another app with one file. */
    class Provider : ContentProvider() {
        var row: Array<Any?>? = null
        var columns = arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)
        var failure: RuntimeException? = null

        override fun onCreate() = true

        override fun query(uri: Uri, projection: Array<String>?, selection: String?, args: Array<String>?, order: String?): Cursor? {
            failure?.let { throw it }
            return row?.let { MatrixCursor(columns).apply { addRow(it) } }
        }

        override fun getType(uri: Uri) = "application/octet-stream"

        override fun insert(uri: Uri, values: ContentValues?) = null

        override fun delete(uri: Uri, selection: String?, args: Array<String>?) = 0

        override fun update(uri: Uri, values: ContentValues?, selection: String?, args: Array<String>?) = 0
    }

    private val context = RuntimeEnvironment.getApplication()
    private val provider = Robolectric.setupContentProvider(Provider::class.java, "files")
    private val documents = ContentDocumentReader(context.contentResolver)
    private val uri = "content://files/1"

    @Test
    fun `name and length of another app's file are read if it reports them`() {
        provider.row = arrayOf("gemma.litertlm", 1234L)
        assertEquals(DocumentReader.Description("gemma.litertlm", 1234), documents.describe(uri))
        provider.row = arrayOf(null, null)
        assertEquals(DocumentReader.Description(null, null), documents.describe(uri))
        provider.row = arrayOf("x", -1L)
        assertEquals(DocumentReader.Description("x", null), documents.describe(uri))
        provider.row = null
        assertEquals(DocumentReader.Description(null, null), documents.describe(uri))
        provider.columns = arrayOf("something_else")
        provider.row = arrayOf("x")
        assertEquals(DocumentReader.Description(null, null), documents.describe(uri))
    }

    @Test
    fun `whatever the other app throws is an error of reading`() {
        for (failure in listOf(SecurityException("no"), IllegalArgumentException("no"), NullPointerException("no"))) {
            provider.failure = failure
            shadowOf(context.contentResolver).registerInputStreamSupplier(Uri.parse(uri)) { throw failure }
            assertEquals("no", assertThrows(IOException::class.java) { documents.describe(uri) }.message)
            assertEquals("no", assertThrows(IOException::class.java) { documents.open(uri) }.message)
        }
        shadowOf(context.contentResolver).registerInputStreamSupplier(Uri.parse(uri)) { null }
        assertThrows(IOException::class.java) { documents.open(uri) }
    }

    @Test
    fun `a file of another app goes into the app's own folder, which no backup takes along`() {
        val content = TestFiles.model()
        shadowOf(context.contentResolver).registerInputStream(Uri.parse(uri), ByteArrayInputStream(content))
        provider.row = arrayOf("gemma.litertlm", content.size.toLong())
        val library = ModelLibrary(AndroidAppFolders(context), "PocketGemma")
        val outcome = FileImport(library, documents, { Memory(8_000_000_000, 4_000_000_000) }).run(uri, ImportCancellation()) {}
        val id = TestModels.sha256(content)
        assertEquals(ImportOutcome.Taken(id), outcome)
        val file = library.file(library.model(id))
        assertArrayEquals(content, file.readBytes())
        assertTrue(file.path, file.startsWith(context.noBackupFilesDir))
    }

    @Test
    fun `memory is what the system says`() {
        val manager = context.getSystemService(ActivityManager::class.java)
        shadowOf(manager).setMemoryInfo(
            ActivityManager.MemoryInfo().apply {
                totalMem = 6_000_000_000
                availMem = 2_000_000_000
            },
        )
        assertEquals(Memory(6_000_000_000, 2_000_000_000), DeviceMemory(context).read())
    }

    @Test
    fun `an asset that is not there is null`() {
        assertNull(AndroidAppFolders(context).asset("nothing.json"))
    }
}
