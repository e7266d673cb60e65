package io.pocketgemma.chat.settings

import android.app.backup.BackupAgent
import android.app.backup.BackupDataInput
import android.app.backup.BackupDataOutput
import android.app.backup.FullBackupDataOutput
import android.os.ParcelFileDescriptor

/**
 * Android's backup and its transfer to another phone: nothing, unless the user has turned it on. res/xml lists what is included:
 * conversations and settings, never a model.
 *
 * Android runs this without the app's own Application.
 */
class OptInBackupAgent : BackupAgent() {
    override fun onFullBackup(data: FullBackupDataOutput) {
        if (SettingsFile(this).read().backUp) super.onFullBackup(data)
    }

    /** Key-value backup, which the manifest disables. */
    override fun onBackup(oldState: ParcelFileDescriptor?, data: BackupDataOutput?, newState: ParcelFileDescriptor?) = Unit

    override fun onRestore(data: BackupDataInput?, appVersionCode: Int, newState: ParcelFileDescriptor?) = Unit
}
