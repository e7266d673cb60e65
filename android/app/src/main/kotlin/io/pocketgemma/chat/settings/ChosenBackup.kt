package io.pocketgemma.chat.settings

import android.app.backup.BackupAgent
import android.app.backup.BackupDataInput
import android.app.backup.BackupDataOutput
import android.app.backup.FullBackupDataOutput
import android.os.ParcelFileDescriptor

/**
 * Android's backup and its transfer to another phone: nothing, unless the person has turned it on. What they then take along is listed in
 * res/xml: conversations and settings, never a model.
 *
 * Android makes it without the app's own Application.
 */
class ChosenBackup : BackupAgent() {
    override fun onFullBackup(data: FullBackupDataOutput) {
        if (SettingsFile(this).read().backUp) super.onFullBackup(data)
    }

    /** Backup by keys and values, which the manifest rules out. */
    override fun onBackup(oldState: ParcelFileDescriptor?, data: BackupDataOutput?, newState: ParcelFileDescriptor?) = Unit

    override fun onRestore(data: BackupDataInput?, appVersionCode: Int, newState: ParcelFileDescriptor?) = Unit
}
