// The native side of io.pocketgemma.chat.runtime.Native: plain calls to LiteRT-LM's C API, with almost no state.
//
// Text is passed as UTF-8 byte arrays, because JNI strings are "modified UTF-8", which corrupts emoji. The three functions of the C
// library that this file uses are declared here, so that it compiles for Android without Android's headers.

#include <jni.h>
#include <stdbool.h>
#include <stddef.h>

#include "litert_lm.h"

void* malloc(size_t);
void free(void*);
size_t strlen(const char*);

#define NATIVE(name) Java_io_pocketgemma_chat_runtime_Native_##name

static JavaVM* virtual_machine;

JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* vm, void* reserved) {
  (void)reserved;
  virtual_machine = vm;
  return JNI_VERSION_1_6;
}

static void* pointer(jlong handle) { return (void*)(size_t)handle; }

static jlong handle(void* pointer) { return (jlong)(size_t)pointer; }

// A zero-terminated copy, which the caller frees; NULL for null.
static char* copy_text(JNIEnv* env, jbyteArray bytes) {
  if (!bytes) return NULL;
  jsize length = (*env)->GetArrayLength(env, bytes);
  char* text = malloc((size_t)length + 1);
  if (!text) return NULL;
  (*env)->GetByteArrayRegion(env, bytes, 0, length, (jbyte*)text);
  text[length] = 0;
  return text;
}

static jbyteArray to_bytes(JNIEnv* env, const char* text) {
  if (!text) return NULL;
  jsize length = (jsize)strlen(text);
  jbyteArray bytes = (*env)->NewByteArray(env, length);
  if (bytes) {
    (*env)->SetByteArrayRegion(env, bytes, 0, length, (const jbyte*)text);
  } else {
    (*env)->ExceptionClear(env);  // out of memory: JNI allows no calls while an exception is pending
  }
  return bytes;
}

static jdoubleArray to_doubles(JNIEnv* env, const jdouble* values, jsize count) {
  jdoubleArray array = (*env)->NewDoubleArray(env, count);
  if (array) (*env)->SetDoubleArrayRegion(env, array, 0, count, values);
  return array;
}

JNIEXPORT void JNICALL NATIVE(nativeSetLogLevel)(JNIEnv* env, jclass type, jint level) {
  (void)env, (void)type;
  litert_lm_set_min_log_level(level);
}

JNIEXPORT jbyteArray JNICALL NATIVE(nativeLastError)(JNIEnv* env, jclass type) {
  (void)type;
  jbyteArray message = to_bytes(env, litert_lm_get_last_error_message());
  litert_lm_clear_last_error();
  return message;
}

// {context length in tokens or 0, sampler: type, temperature, top-k, top-p} as recorded in the file, or null if it cannot be read.
JNIEXPORT jdoubleArray JNICALL NATIVE(nativeDescribe)(JNIEnv* env, jclass type, jbyteArray model) {
  (void)type;
  char* model_path = copy_text(env, model);
  LiteRtLmLoadedFile* file = litert_lm_loaded_file_create(model_path);
  free(model_path);
  if (!file) return NULL;
  jdouble values[] = {
      litert_lm_loaded_file_max_context_tokens(file),    litert_lm_loaded_file_sampler_type(file),
      litert_lm_loaded_file_sampler_temperature(file),   litert_lm_loaded_file_sampler_top_k(file),
      litert_lm_loaded_file_sampler_top_p(file),
  };
  litert_lm_loaded_file_delete(file);
  return to_doubles(env, values, sizeof(values) / sizeof(*values));
}

// Returns 0 if the model cannot be loaded.
JNIEXPORT jlong JNICALL NATIVE(nativeCreateEngine)(JNIEnv* env, jclass type, jbyteArray model, jbyteArray cache, jboolean gpu,
                                                   jint threads) {
  (void)type;
  char* model_path = copy_text(env, model);
  char* cache_folder = copy_text(env, cache);
  LiteRtLmEngine* engine = NULL;
  LiteRtLmEngineSettings* settings = litert_lm_engine_settings_create(model_path, gpu ? "gpu" : "cpu", NULL, NULL);
  if (settings) {
    litert_lm_engine_settings_set_num_threads(settings, threads);
    if (cache_folder) litert_lm_engine_settings_set_cache_dir(settings, cache_folder);
    // In half precision, Gemma's activations overflow on a GPU and the reply fills with <pad>.
    if (gpu) litert_lm_engine_settings_set_activation_data_type(settings, LITERT_LM_FLOAT32);
    litert_lm_engine_settings_enable_benchmark(settings);  // token counts and speeds come from here
    engine = litert_lm_engine_create(settings);
    litert_lm_engine_settings_delete(settings);
  }
  free(model_path);
  free(cache_folder);
  return handle(engine);
}

JNIEXPORT void JNICALL NATIVE(nativeDeleteEngine)(JNIEnv* env, jclass type, jlong engine) {
  (void)env, (void)type;
  litert_lm_engine_delete(pointer(engine));
}

// Length of a text in tokens; negative if the runtime reports an error.
JNIEXPORT jint JNICALL NATIVE(nativeCountTokens)(JNIEnv* env, jclass type, jlong engine, jbyteArray text) {
  (void)type;
  char* copy = copy_text(env, text);
  LiteRtLmTokenizeResult* tokens = litert_lm_engine_tokenize(pointer(engine), copy);
  free(copy);
  if (!tokens) return -1;
  jint count = (jint)litert_lm_tokenize_result_get_num_tokens(tokens);
  litert_lm_tokenize_result_delete(tokens);
  return count;
}

// messages: a JSON list of the earlier messages, or null. lora: the path of an adapter file, or null. top_k 0 selects the runtime's default
// sampler. Returns 0 if the conversation cannot be created.
JNIEXPORT jlong JNICALL NATIVE(nativeCreateConversation)(JNIEnv* env, jclass type, jlong engine, jbyteArray messages, jbyteArray lora,
                                                         jint top_k, jfloat top_p, jfloat temperature, jint seed, jint max_output) {
  (void)type;
  char* history = copy_text(env, messages);
  char* lora_path = copy_text(env, lora);
  LiteRtLmConversation* conversation = NULL;
  LiteRtLmSessionConfig* session = litert_lm_session_config_create();
  LiteRtLmConversationConfig* config = litert_lm_conversation_config_create();
  if (session && config && (!lora_path || litert_lm_session_config_set_lora_path(session, lora_path) == 0)) {
    LiteRtLmSamplerParams* sampler = top_k > 0 ? litert_lm_sampler_params_create(LITERT_LM_TOP_P) : NULL;
    if (sampler) {
      litert_lm_sampler_params_set_top_k(sampler, top_k);
      litert_lm_sampler_params_set_top_p(sampler, top_p);
      litert_lm_sampler_params_set_temperature(sampler, temperature);
      litert_lm_sampler_params_set_seed(sampler, seed);
      litert_lm_session_config_set_sampler_params(session, sampler);
      litert_lm_sampler_params_delete(sampler);
    }
    if (max_output > 0) litert_lm_session_config_set_max_output_tokens(session, max_output);
    litert_lm_conversation_config_set_session_config(config, session);
    if (history) litert_lm_conversation_config_set_messages(config, history);
    conversation = litert_lm_conversation_create(pointer(engine), config);
  }
  if (session) litert_lm_session_config_delete(session);
  if (config) litert_lm_conversation_config_delete(config);
  free(history);
  free(lora_path);
  return handle(conversation);
}

// The conversation so far and a message, rendered with the model's chat template; null on error.
JNIEXPORT jbyteArray JNICALL NATIVE(nativeRender)(JNIEnv* env, jclass type, jlong conversation, jbyteArray message) {
  (void)type;
  char* json = copy_text(env, message);
  jbyteArray text = to_bytes(env, litert_lm_conversation_render_message_to_string(pointer(conversation), json));
  free(json);
  return text;
}

JNIEXPORT void JNICALL NATIVE(nativeDeleteConversation)(JNIEnv* env, jclass type, jlong conversation) {
  (void)env, (void)type;
  litert_lm_conversation_delete(pointer(conversation));
}

JNIEXPORT void JNICALL NATIVE(nativeCancel)(JNIEnv* env, jclass type, jlong conversation) {
  (void)env, (void)type;
  litert_lm_conversation_cancel_process(pointer(conversation));
}

// Receives the chunks of a reply. Freed with the last chunk.
typedef struct {
  jobject sink;
  jmethodID on_chunk;
} Receiver;

static void free_receiver(JNIEnv* env, Receiver* receiver) {
  (*env)->DeleteGlobalRef(env, receiver->sink);
  free(receiver);
}

// Whether the end of the latest reply could not be reported.
static _Atomic bool end_lost;

JNIEXPORT jboolean JNICALL NATIVE(nativeEndLost)(JNIEnv* env, jclass type) {
  (void)env, (void)type;
  return end_lost;
}

// Called on one of the runtime's own threads, which is not attached to the virtual machine yet.
static void forward_chunk(void* user_data, LiteRtLmStreamChunk* chunk) {
  Receiver* receiver = user_data;
  JNIEnv* env = NULL;
  bool attached = false;
  if ((*virtual_machine)->GetEnv(virtual_machine, (void**)&env, JNI_VERSION_1_6) != JNI_OK) {
    // void* fits both declarations of this function: Android's (JNIEnv**) and the JDK's (void**).
    jint status = (*virtual_machine)->AttachCurrentThreadAsDaemon(virtual_machine, (void*)&env, NULL);
    if (status != JNI_OK) {
      // Out of memory or threads. The sink cannot be called, but code that waits for the end of a reply polls this flag. The receiver
      // leaks: only an attached thread can free it.
      if (litert_lm_stream_chunk_get_error(chunk) || litert_lm_stream_chunk_is_final(chunk)) end_lost = true;
      return;
    }
    attached = true;
  }
  const char* error = litert_lm_stream_chunk_get_error(chunk);
  bool final = error || litert_lm_stream_chunk_is_final(chunk);
  jbyteArray text_bytes = to_bytes(env, error ? NULL : litert_lm_stream_chunk_get_text(chunk));
  jbyteArray error_bytes = to_bytes(env, error);
  (*env)->CallVoidMethod(env, receiver->sink, receiver->on_chunk, text_bytes, (jboolean)final, error_bytes);
  if ((*env)->ExceptionCheck(env)) {
    (*env)->ExceptionDescribe(env);
    (*env)->ExceptionClear(env);
  }
  if (text_bytes) (*env)->DeleteLocalRef(env, text_bytes);
  if (error_bytes) (*env)->DeleteLocalRef(env, error_bytes);
  if (final) free_receiver(env, receiver);
  if (attached) (*virtual_machine)->DetachCurrentThread(virtual_machine);
}

// Returns immediately; sink.onChunk(byte[] text, boolean final, byte[] error) receives the reply. A result other than 0 means that nothing
// was sent.
JNIEXPORT jint JNICALL NATIVE(nativeSend)(JNIEnv* env, jclass type, jlong conversation, jbyteArray message, jobject sink) {
  (void)type;
  Receiver* receiver = malloc(sizeof(Receiver));
  if (!receiver) return -1;
  // Looked up on the object's class: on a native thread, FindClass would use the wrong class loader.
  receiver->on_chunk = (*env)->GetMethodID(env, (*env)->GetObjectClass(env, sink), "onChunk", "([BZ[B)V");
  if (!receiver->on_chunk) {
    free(receiver);
    return -1;
  }
  receiver->sink = (*env)->NewGlobalRef(env, sink);
  char* json = copy_text(env, message);
  end_lost = false;
  int status = litert_lm_conversation_send_message_stream(pointer(conversation), json, "{}", NULL, forward_chunk, receiver);
  free(json);
  if (status != 0) free_receiver(env, receiver);
  return status;
}

// {number of measured replies; for the last one: prompt tokens, prefill tokens per second, generated tokens, decode tokens per second}.
JNIEXPORT jdoubleArray JNICALL NATIVE(nativeMeasured)(JNIEnv* env, jclass type, jlong conversation) {
  (void)type;
  LiteRtLmBenchmarkInfo* info = litert_lm_conversation_get_benchmark_info(pointer(conversation));
  if (!info) return NULL;
  int turns = litert_lm_benchmark_info_get_num_decode_turns(info);
  int last_prefill = litert_lm_benchmark_info_get_num_prefill_turns(info) - 1, last_decode = turns - 1;
  jdouble values[5] = {turns};
  if (last_prefill >= 0) {
    values[1] = litert_lm_benchmark_info_get_prefill_token_count_at(info, last_prefill);
    values[2] = litert_lm_benchmark_info_get_prefill_tokens_per_sec_at(info, last_prefill);
  }
  if (last_decode >= 0) {
    values[3] = litert_lm_benchmark_info_get_decode_token_count_at(info, last_decode);
    values[4] = litert_lm_benchmark_info_get_decode_tokens_per_sec_at(info, last_decode);
  }
  litert_lm_benchmark_info_delete(info);
  return to_doubles(env, values, sizeof(values) / sizeof(*values));
}
