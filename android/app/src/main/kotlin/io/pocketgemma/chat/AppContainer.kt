package io.pocketgemma.chat

import android.content.Context
import io.pocketgemma.chat.benchmark.BenchmarkStore
import io.pocketgemma.chat.chat.ChatEvent
import io.pocketgemma.chat.chat.ChatStore
import io.pocketgemma.chat.chat.ResourceSummaryPrompts
import io.pocketgemma.chat.compare.CompareStore
import io.pocketgemma.chat.conversation.newConversationId
import io.pocketgemma.chat.export.ExportLabels
import io.pocketgemma.chat.history.HistoryEvent
import io.pocketgemma.chat.history.HistoryStore
import io.pocketgemma.chat.inference.InferenceClient
import io.pocketgemma.chat.library.AndroidAppFolders
import io.pocketgemma.chat.library.ContentDocumentReader
import io.pocketgemma.chat.library.DeviceMemory
import io.pocketgemma.chat.library.FileImport
import io.pocketgemma.chat.library.FileLibraryOperations
import io.pocketgemma.chat.library.LibraryEvent
import io.pocketgemma.chat.library.LibraryModelSource
import io.pocketgemma.chat.library.LibraryOperations
import io.pocketgemma.chat.library.LibraryStore
import io.pocketgemma.chat.library.ModelLibrary
import io.pocketgemma.chat.markdown.prepareMarkdown
import io.pocketgemma.chat.model.ModelSource
import io.pocketgemma.chat.model.RuntimeHost
import io.pocketgemma.chat.runtime.LiteRtLm
import io.pocketgemma.chat.settings.SettingsFile
import io.pocketgemma.chat.settings.SettingsStore
import io.pocketgemma.chat.settings.onGpuChosen
import io.pocketgemma.chat.storage.SqliteStorage
import io.pocketgemma.chat.store.MainThread
import java.util.concurrent.ExecutorService
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.SynchronousQueue
import java.util.concurrent.ThreadPoolExecutor
import java.util.concurrent.TimeUnit

/**
 * The sources of models: their files, and the loaded models.
 *
 * @param gpuChosen called on the model's thread when the user selects the GPU, before anything is loaded for it.
 */
class Models(val files: LibraryOperations, val source: ModelSource, val gpuChosen: () -> Unit = {}) {
    companion object {
        /** Accesses no files yet. */
        fun real(context: Context): Models {
            val library = ModelLibrary(AndroidAppFolders(context), context.getString(R.string.app_name))
            val memory = DeviceMemory(context)
            return Models(
                FileLibraryOperations(library, FileImport(library, ContentDocumentReader(context.contentResolver), memory)),
                LibraryModelSource(library, memory) { file, cache, options ->
                    LiteRtLm.setLogLevel(LiteRtLm.LOG_ERRORS)
                    LiteRtLm(file, cache, options)
                },
                gpuChosen = { LiteRtLm.retryGpu(library.cacheFolder) },
            )
        }
    }
}

/** Creates the stores and gives each of them its thread. Main thread only. */
internal class AppContainer(context: Context, models: Models, main: MainThread) {
    private val modelThread = thread("model")
    private val stops = thread("stop")
    private val disk = thread("disk")

    // A document provider that never answers, and whose import was canceled, must not block the next import.
    private val imports = ThreadPoolExecutor(
        0, Int.MAX_VALUE, IDLE_SECONDS, TimeUnit.SECONDS, SynchronousQueue(), { Thread(it, "import") }, ThreadPoolExecutor.DiscardPolicy(),
    )

    private val host = RuntimeHost(models.source, modelThread, stops, main)
    private val settings = SettingsStore(SettingsFile(context), disk, main)
    private val library = LibraryStore(models.files, disk, imports, main)
    private val storage = SqliteStorage(context, System::currentTimeMillis)
    private val history = HistoryStore(storage, disk, main, System::currentTimeMillis) { ExportLabels(context.resources) }
    private val inference = InferenceClient(host, settings, library)
    private val chat = ChatStore(
        host, storage, disk, main, inference, ResourceSummaryPrompts(context.resources), changed = { history.dispatch(HistoryEvent.Refresh) },
    )

    val stores = Stores(
        model = host,
        library = library,
        settings = settings,
        history = history,
        chat = chat,
        compare = CompareStore(inference),
        benchmark = BenchmarkStore(host, inference),
    )

    init {
        settings.onGpuChosen { modelThread.execute(models.gpuChosen) }
        history.onRenamed = { id, title -> chat.dispatch(ChatEvent.Renamed(id, title)) }
        history.onDeleted = { id -> chat.dispatch(ChatEvent.Removed(id, newConversationId())) }
        library.dispatch(LibraryEvent.Refresh)
        disk.execute(::prepareMarkdown)
    }

    /** Saves what is on the screen. */
    fun save() = chat.save()

    /** Frees the model and closes the storage after their pending tasks. */
    fun close() {
        host.close()
        disk.execute(storage::close)
        listOf(modelThread, stops, disk, imports).forEach { it.shutdown() }
    }

    /** Tasks submitted after the shutdown are dropped: nothing depends on them. */
    private fun thread(name: String): ExecutorService =
        ThreadPoolExecutor(1, 1, 0, TimeUnit.SECONDS, LinkedBlockingQueue(), { Thread(it, name) }, ThreadPoolExecutor.DiscardPolicy())

    private companion object {
        const val IDLE_SECONDS = 10L
    }
}
