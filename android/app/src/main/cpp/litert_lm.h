// The part of LiteRT-LM's C API (0.18) that the app calls. Handles are opaque; strings are UTF-8 and end in a zero byte.
#ifndef POCKETGEMMA_LITERT_LM_H_
#define POCKETGEMMA_LITERT_LM_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct LiteRtLmEngineSettings LiteRtLmEngineSettings;
typedef struct LiteRtLmEngine LiteRtLmEngine;
typedef struct LiteRtLmLoadedFile LiteRtLmLoadedFile;
typedef struct LiteRtLmTokenizeResult LiteRtLmTokenizeResult;
typedef struct LiteRtLmSamplerParams LiteRtLmSamplerParams;
typedef struct LiteRtLmSessionConfig LiteRtLmSessionConfig;
typedef struct LiteRtLmConversationConfig LiteRtLmConversationConfig;
typedef struct LiteRtLmConversation LiteRtLmConversation;
typedef struct LiteRtLmConversationOptionalArgs LiteRtLmConversationOptionalArgs;
typedef struct LiteRtLmBenchmarkInfo LiteRtLmBenchmarkInfo;
typedef struct LiteRtLmStreamChunk LiteRtLmStreamChunk;

typedef void (*LiteRtLmStreamCallback)(void* user_data, LiteRtLmStreamChunk* chunk);

// Data types of activations; the app uses only this one.
enum { LITERT_LM_FLOAT32 = 0 };
// Samplers; the app uses only this one. Version 0.18 has no greedy sampler ("Sampler type: 3 not implemented").
enum { LITERT_LM_TOP_P = 2 };

void litert_lm_set_min_log_level(int level);
const char* litert_lm_get_last_error_message(void);
void litert_lm_clear_last_error(void);

LiteRtLmLoadedFile* litert_lm_loaded_file_create(const char* model_path);
void litert_lm_loaded_file_delete(LiteRtLmLoadedFile* file);
uint32_t litert_lm_loaded_file_max_context_tokens(LiteRtLmLoadedFile* file);
int litert_lm_loaded_file_sampler_type(LiteRtLmLoadedFile* file);
float litert_lm_loaded_file_sampler_temperature(LiteRtLmLoadedFile* file);
int32_t litert_lm_loaded_file_sampler_top_k(LiteRtLmLoadedFile* file);
float litert_lm_loaded_file_sampler_top_p(LiteRtLmLoadedFile* file);

LiteRtLmEngineSettings* litert_lm_engine_settings_create(const char* model_path, const char* backend,
                                                         const char* vision_backend, const char* audio_backend);
void litert_lm_engine_settings_delete(LiteRtLmEngineSettings* settings);
void litert_lm_engine_settings_set_num_threads(LiteRtLmEngineSettings* settings, int threads);
void litert_lm_engine_settings_set_cache_dir(LiteRtLmEngineSettings* settings, const char* folder);
void litert_lm_engine_settings_set_activation_data_type(LiteRtLmEngineSettings* settings, int data_type);
void litert_lm_engine_settings_enable_benchmark(LiteRtLmEngineSettings* settings);

LiteRtLmEngine* litert_lm_engine_create(LiteRtLmEngineSettings* settings);
void litert_lm_engine_delete(LiteRtLmEngine* engine);

LiteRtLmTokenizeResult* litert_lm_engine_tokenize(LiteRtLmEngine* engine, const char* text);
void litert_lm_tokenize_result_delete(LiteRtLmTokenizeResult* result);
size_t litert_lm_tokenize_result_get_num_tokens(LiteRtLmTokenizeResult* result);

LiteRtLmSamplerParams* litert_lm_sampler_params_create(int type);
void litert_lm_sampler_params_delete(LiteRtLmSamplerParams* params);
void litert_lm_sampler_params_set_top_k(LiteRtLmSamplerParams* params, int top_k);
void litert_lm_sampler_params_set_top_p(LiteRtLmSamplerParams* params, float top_p);
void litert_lm_sampler_params_set_temperature(LiteRtLmSamplerParams* params, float temperature);
void litert_lm_sampler_params_set_seed(LiteRtLmSamplerParams* params, int seed);

LiteRtLmSessionConfig* litert_lm_session_config_create(void);
void litert_lm_session_config_delete(LiteRtLmSessionConfig* config);
void litert_lm_session_config_set_max_output_tokens(LiteRtLmSessionConfig* config, int tokens);
void litert_lm_session_config_set_sampler_params(LiteRtLmSessionConfig* config, LiteRtLmSamplerParams* params);
int litert_lm_session_config_set_lora_path(LiteRtLmSessionConfig* config, const char* path);

LiteRtLmConversationConfig* litert_lm_conversation_config_create(void);
void litert_lm_conversation_config_delete(LiteRtLmConversationConfig* config);
void litert_lm_conversation_config_set_session_config(LiteRtLmConversationConfig* config, LiteRtLmSessionConfig* session);
void litert_lm_conversation_config_set_messages(LiteRtLmConversationConfig* config, const char* json);

LiteRtLmConversation* litert_lm_conversation_create(LiteRtLmEngine* engine, LiteRtLmConversationConfig* config);
void litert_lm_conversation_delete(LiteRtLmConversation* conversation);
int litert_lm_conversation_send_message_stream(LiteRtLmConversation* conversation, const char* message_json,
                                               const char* extra_context_json, LiteRtLmConversationOptionalArgs* optional,
                                               LiteRtLmStreamCallback callback, void* user_data);
void litert_lm_conversation_cancel_process(LiteRtLmConversation* conversation);
const char* litert_lm_conversation_render_message_to_string(LiteRtLmConversation* conversation, const char* message_json);
LiteRtLmBenchmarkInfo* litert_lm_conversation_get_benchmark_info(LiteRtLmConversation* conversation);

void litert_lm_benchmark_info_delete(LiteRtLmBenchmarkInfo* info);
int litert_lm_benchmark_info_get_num_prefill_turns(LiteRtLmBenchmarkInfo* info);
int litert_lm_benchmark_info_get_prefill_token_count_at(LiteRtLmBenchmarkInfo* info, int turn);
double litert_lm_benchmark_info_get_prefill_tokens_per_sec_at(LiteRtLmBenchmarkInfo* info, int turn);
int litert_lm_benchmark_info_get_num_decode_turns(LiteRtLmBenchmarkInfo* info);
int litert_lm_benchmark_info_get_decode_token_count_at(LiteRtLmBenchmarkInfo* info, int turn);
double litert_lm_benchmark_info_get_decode_tokens_per_sec_at(LiteRtLmBenchmarkInfo* info, int turn);

const char* litert_lm_stream_chunk_get_text(LiteRtLmStreamChunk* chunk);
bool litert_lm_stream_chunk_is_final(LiteRtLmStreamChunk* chunk);
const char* litert_lm_stream_chunk_get_error(LiteRtLmStreamChunk* chunk);

#endif  // POCKETGEMMA_LITERT_LM_H_
