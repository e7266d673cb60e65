package io.pocketgemma.chat.runtime

/** The functions of the shim (cpp/pocketgemma_jni.c). Text is passed as UTF-8 bytes; a handle of 0 means failure. */
internal object Native {
    /** Receives a reply on one of the runtime's threads. The native code finds the method by name. */
    fun interface ChunkSink {
        fun onChunk(text: ByteArray?, final: Boolean, error: ByteArray?)
    }

    /** The path of the native library if there is no APK: in tests on the JVM. */
    private const val LIBRARY_PROPERTY = "io.pocketgemma.chat.library"

    init {
        val path = System.getProperty(LIBRARY_PROPERTY)
        if (path != null) System.load(path) else System.loadLibrary("pocketgemma")
    }

    /** The runtime's message for the last failed call on this thread. */
    fun lastError(): String = nativeLastError()?.let { String(it, Charsets.UTF_8) }.orEmpty().ifBlank { "unknown error" }

    @JvmStatic external fun nativeSetLogLevel(level: Int)

    @JvmStatic private external fun nativeLastError(): ByteArray?

    @JvmStatic external fun nativeDescribe(model: ByteArray): DoubleArray?

    @JvmStatic external fun nativeCreateEngine(model: ByteArray, cache: ByteArray, gpu: Boolean, threads: Int): Long

    @JvmStatic external fun nativeDeleteEngine(engine: Long)

    @JvmStatic external fun nativeCountTokens(engine: Long, text: ByteArray): Int

    @JvmStatic
    external fun nativeCreateConversation(
        engine: Long,
        messages: ByteArray?,
        lora: ByteArray?,
        topK: Int,
        topP: Float,
        temperature: Float,
        seed: Int,
        maxOutput: Int,
    ): Long

    @JvmStatic external fun nativeDeleteConversation(conversation: Long)

    @JvmStatic external fun nativeRender(conversation: Long, message: ByteArray): ByteArray?

    @JvmStatic external fun nativeCancel(conversation: Long)

    @JvmStatic external fun nativeSend(conversation: Long, message: ByteArray, sink: ChunkSink): Int

    /** Whether the end of the latest reply could not be reported to its sink. */
    @JvmStatic external fun nativeEndLost(): Boolean

    @JvmStatic external fun nativeMeasured(conversation: Long): DoubleArray?
}
