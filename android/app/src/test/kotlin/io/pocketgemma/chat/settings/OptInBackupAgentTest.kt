package io.pocketgemma.chat.settings

import android.app.Application
import android.app.backup.BackupAgent
import android.app.backup.FullBackupDataOutput
import android.content.Context
import android.content.ContextWrapper
import android.content.pm.ApplicationInfo
import android.os.Process
import android.util.ArrayMap
import io.pocketgemma.chat.R
import io.pocketgemma.chat.conversation.Conversation
import io.pocketgemma.chat.conversation.Message
import io.pocketgemma.chat.storage.SqliteStorage
import java.io.File
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.Implementation
import org.robolectric.annotation.Implements
import org.robolectric.util.ReflectionHelpers

/** Android's own agent, with its own parsing of the rules, over the app's folders; only the pipe to the transport is missing. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = Application::class, shadows = [OptInBackupAgentTest.Pipe::class])
class OptInBackupAgentTest {
    /** Records the files instead of sending them. */
    @Implements(className = "android.app.backup.FullBackup")
    class Pipe {
        companion object {
            val sent = mutableListOf<String>()

            @Suppress("UNUSED_PARAMETER")
            @Implementation
            @JvmStatic
            fun backupToTar(app: String?, domain: String, linkDomain: String?, root: String?, path: String, output: FullBackupDataOutput): Int {
                if (File(path).isFile) sent += domain + "/" + File(path).name
                return 0
            }
        }
    }

    private companion object {
        const val ENCRYPTED = BackupAgent.FLAG_CLIENT_SIDE_ENCRYPTION_ENABLED
        const val TO_PHONE = BackupAgent.FLAG_DEVICE_TO_DEVICE_TRANSFER
    }

    private val context = RuntimeEnvironment.getApplication()
    private val storage = SqliteStorage(context) { 1 }
    private val all = listOf("db/conversations.db", "db/conversations.db-wal", "sp/settings.xml")

    @Before
    fun fill() {
        storage.write(Conversation(1, "Secret", listOf(Message.Question(0, "psst"))))
        File(context.filesDir, "models").mkdirs()
        File(context.filesDir, "models/0123.litertlm").writeText("model")
        File(context.getDatabasePath("conversations.db").path + ".damaged-1").writeText("old")
        File(context.noBackupFilesDir, "cache.bin").writeText("runtime")
        File(context.cacheDir, "cache.bin").writeText("runtime")
        context.getExternalFilesDir(null)?.let { File(it, "model.litertlm").writeText("model") }
        context.getSharedPreferences("other", Context.MODE_PRIVATE).edit().putInt("x", 1).commit()
    }

    @After
    fun close() = storage.close()

    /**
     * Robolectric uses separate folders for credential-protected storage, and doesn't read the Android 12 rules from the manifest; on
     * Android, these folders are the same.
     */
    private class Phone(context: Context, private val rules: Int) : ContextWrapper(context) {
        override fun createCredentialProtectedStorageContext(): Context = this

        override fun getApplicationInfo(): ApplicationInfo = ApplicationInfo(super.getApplicationInfo()).also {
            ApplicationInfo::class.java.getField("dataExtractionRulesRes").setInt(it, rules)
        }
    }

    /**
     * The files that are included by the rules of Android 12, or of Android 9 if [rules] is 0; Android 15 applies the latter to cloud
     * backups only.
     */
    private fun backUp(transportFlags: Int, rules: Int = R.xml.data_extraction_rules): List<String> {
        Pipe.sent.clear()
        // Android reads the rules once per process.
        ReflectionHelpers.setStaticField(Class.forName("android.app.backup.FullBackup"), "kPackageBackupSchemeMap", ArrayMap<Any, Any>())
        val agent = OptInBackupAgent()
        BackupAgent::class.java.getMethod("attach", Context::class.java).invoke(agent, Phone(context, rules))
        // As Android starts one: the user, to the cloud or to another phone, and a backup rather than a restore.
        val destination = if (transportFlags == TO_PHONE) 1 else 0
        val user = Process.myUserHandle()
        BackupAgent::class.java.getMethod("onCreate", user.javaClass, Int::class.java, Int::class.java).invoke(agent, user, destination, 0)
        val output = FullBackupDataOutput::class.java.getConstructor(Long::class.java, Int::class.java).newInstance(Long.MAX_VALUE, transportFlags)
        agent.onFullBackup(output)
        return Pipe.sent.sorted()
    }

    private fun choose(backUp: Boolean) = SettingsFile(context).write(Settings(backUp = backUp))

    @Test
    fun `nothing is handed over by default`() {
        assertEquals(emptyList<String>(), backUp(ENCRYPTED))
        assertEquals(emptyList<String>(), backUp(TO_PHONE))
    }

    @Test
    fun `nothing is handed over when it is turned off again`() {
        choose(true)
        choose(false)
        assertEquals(emptyList<String>(), backUp(ENCRYPTED))
    }

    @Test
    fun `conversations and settings are handed over when it is turned on, and nothing else`() {
        choose(true)
        assertEquals(all, backUp(ENCRYPTED))
        assertEquals(all, backUp(ENCRYPTED, rules = 0))
    }

    @Test
    fun `the same goes to another phone`() {
        choose(true)
        assertEquals(all, backUp(TO_PHONE))
    }

    @Test
    fun `nothing goes into a cloud that could read it`() {
        choose(true)
        assertEquals(emptyList<String>(), backUp(0))
        assertEquals(emptyList<String>(), backUp(0, rules = 0))
    }

    @Test
    fun `the manifest names this agent, and files rather than keys and values`() {
        val info = context.packageManager.getApplicationInfo(context.packageName, 0)
        assertEquals(OptInBackupAgent::class.java.name, info.backupAgentName)
        assertTrue(info.flags and ApplicationInfo.FLAG_ALLOW_BACKUP != 0)
        assertTrue(info.flags and ApplicationInfo.FLAG_FULL_BACKUP_ONLY != 0)
    }
}
