/* liblfm: LFM2 models behind a C ABI that stays stable.
 *
 * Conventions:
 * 1. Handles (lfm_model, lfm_session, lfm_sampler, lfm_grammar, lfm_grammar_state) are opaque. What a function named
 *    ..._load, ..._create, ..._copy, ..._compile or ..._fork made, the function ..._free of the same type ends. Freeing NULL
 *    does nothing.
 * 2. A model or a grammar may be used from any number of threads at once. A session, a sampler or a state of a grammar
 *    belongs to one thread at a time; different ones are independent. A session keeps its model alive, a grammar too, and a
 *    state its grammar: these may be freed first.
 * 3. Functions that can fail return an lfm_status, LFM_OK (0) on success. Where `error` is not NULL it receives the
 *    status and a message of one line that says what is wrong, where, and what to do. On failure, out-parameters are
 *    NULL or 0.
 * 4. Structs begin with `size`. Set them up with their ..._init function, which stores sizeof and the defaults: members
 *    that later versions append then keep their defaults for programs that were compiled before.
 * 5. Texts are UTF-8 with their length in bytes; they may hold NUL (those that are classified may not). Returned texts and
 *    arrays are malloc'ed and also end with a NUL or zero element that the length does not count; give them to lfm_free().
 * 6. The library does not print, does not end the process, and reads no environment variables. A defect of its own that it
 *    finds is LFM_INTERNAL; threads that the system refuses are done without. What no library can keep from a process: the
 *    end by SIGBUS where a model's file is cut short while it is mapped. Calling threads need a stack of 256 KiB.
 * 7. Callbacks run on the calling thread, must not throw, and must not call functions on the same session.
 */
#ifndef LFM_LFM_H_
#define LFM_LFM_H_

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define LFM_API
#else
#define LFM_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lfm_model lfm_model;
typedef struct lfm_session lfm_session;
typedef struct lfm_sampler lfm_sampler;
typedef struct lfm_grammar lfm_grammar;
typedef struct lfm_grammar_state lfm_grammar_state;

typedef enum lfm_status {
  LFM_OK = 0,
  LFM_INVALID_ARGUMENT = 1, /* a value that the caller must change */
  LFM_NOT_FOUND = 2,
  LFM_CORRUPT = 3,     /* a file or saved state that breaks its own format */
  LFM_UNSUPPORTED = 4, /* a foreign architecture, a type without kernels */
  LFM_LIMIT = 5,       /* the context is full, or another documented limit */
  LFM_OUT_OF_MEMORY = 6,
  LFM_IO = 7,
  LFM_CANCELLED = 8,
  LFM_INTERNAL = 9
} lfm_status;

typedef struct lfm_error {
  lfm_status status;
  char message[1020];
} lfm_error;

LFM_API const char* lfm_version(void); /* "0.1.0" */
LFM_API void lfm_free(void* memory);

/* ---- models ---- */

typedef enum lfm_compute { LFM_COMPUTE_AUTO = 0, LFM_COMPUTE_F32 = 1 } lfm_compute;
typedef enum lfm_kv_type { LFM_KV_DEFAULT = 0, LFM_KV_F16 = 1, LFM_KV_F32 = 2, LFM_KV_Q8_0 = 3, LFM_KV_I16 = 4 } lfm_kv_type;

typedef struct lfm_model_options {
  size_t size;
  int32_t n_threads;                                          /* used while loading; 0: the machine's best */
  lfm_compute compute;                                        /* AUTO: activations as int8 where weights are quantised */
  lfm_kv_type kv_type;                                        /* DEFAULT: i16, and f32 with LFM_COMPUTE_F32 */
  const char* isa;                                            /* "avx2", ...; NULL: the best */
  int (*progress)(void* user, uint64_t done, uint64_t total); /* bytes; nonzero cancels; may be NULL */
  void* user;
} lfm_model_options;

LFM_API void lfm_model_options_init(lfm_model_options* options);
/* `path`: a .gguf file (the first of a split one) or a Hugging Face folder. options may be NULL. */
LFM_API lfm_status lfm_model_load(const char* path, const lfm_model_options* options, lfm_model** out, lfm_error* error);
LFM_API void lfm_model_free(lfm_model* model);

LFM_API int32_t lfm_model_vocab_size(const lfm_model* model);
LFM_API int64_t lfm_model_context_length(const lfm_model* model);
/* The JSON of `lfm info`. */
LFM_API lfm_status lfm_model_info(const lfm_model* model, char** json, size_t* length, lfm_error* error);

/* ---- text ---- */

/* add_special: the beginning-of-text token goes first where the model wants it. parse_special: special tokens that are
 * written out in the text become that token. */
LFM_API lfm_status lfm_tokenize(const lfm_model* model, const char* text, size_t length, int add_special, int parse_special,
                                int32_t** ids, size_t* n_ids, lfm_error* error);
/* The exact bytes, special tokens included; they need not be valid UTF-8. */
LFM_API lfm_status lfm_detokenize(const lfm_model* model, const int32_t* ids, size_t n_ids, char** bytes, size_t* length,
                                  lfm_error* error);
/* 1 for tokens that end an answer. */
LFM_API int lfm_is_end_of_generation(const lfm_model* model, int32_t id);
/* The prompt of a conversation by the model's chat template. `request` is a JSON object: {"messages": [...], "tools":
 * [...], "add_generation_prompt": true, ...}; further members become template variables. Tokenise the prompt without
 * add_special: templates write that token themselves. */
LFM_API lfm_status lfm_render(const lfm_model* model, const char* request, size_t length, char** prompt, size_t* prompt_length,
                              lfm_error* error);
/* The tokens of that prompt, as the model should read them: special tokens count where the template writes them, and stay
 * plain text where messages, tools and documents spell them out, so that no message can forge a turn (in assistant
 * messages, marks of tool calls and thinking count). "parse_special": true in the request lets them count everywhere. */
LFM_API lfm_status lfm_prompt_ids(const lfm_model* model, const char* request, size_t length, int32_t** ids, size_t* n_ids,
                                  lfm_error* error);

/* ---- sessions: one sequence each ---- */

typedef struct lfm_session_options {
  size_t size;
  int64_t n_ctx;     /* positions at most; 0: the model's context length */
  int64_t n_chunk;   /* tokens of a prompt that are read in one step */
  int32_t n_threads; /* 0: the machine's best */
} lfm_session_options;

LFM_API void lfm_session_options_init(lfm_session_options* options);
LFM_API lfm_status lfm_session_create(lfm_model* model, const lfm_session_options* options, lfm_session** out, lfm_error* error);
LFM_API void lfm_session_free(lfm_session* session);
/* A second session with the same past. */
LFM_API lfm_status lfm_session_copy(const lfm_session* session, lfm_session** out, lfm_error* error);

LFM_API int64_t lfm_session_n_tokens(const lfm_session* session);
/* Reads tokens after what was read before. */
LFM_API lfm_status lfm_session_prefill(lfm_session* session, const int32_t* ids, size_t n_ids, lfm_error* error);
/* The same for one token. */
LFM_API lfm_status lfm_session_decode(lfm_session* session, int32_t id, lfm_error* error);
/* Makes the sequence equal to `ids` and reads only what differs from its past. n_kept (may be NULL): tokens kept. */
LFM_API lfm_status lfm_session_set_prompt(lfm_session* session, const int32_t* ids, size_t n_ids, int64_t* n_kept,
                                          lfm_error* error);
/* Logits after the last token [vocab_size]; NULL before the first one. Valid until the session is used again. */
LFM_API const float* lfm_session_logits(const lfm_session* session);
/* Cuts the sequence back to n_tokens; 0 empties it. */
LFM_API lfm_status lfm_session_truncate(lfm_session* session, int64_t n_tokens, lfm_error* error);
/* Everything a session knows, as bytes for a file, and back into a session of the same model and KV type. */
LFM_API lfm_status lfm_session_save(const lfm_session* session, void** bytes, size_t* length, lfm_error* error);
LFM_API lfm_status lfm_session_restore(lfm_session* session, const void* bytes, size_t length, lfm_error* error);

/* ---- sampling ---- */

typedef struct lfm_logit_bias {
  int32_t id;
  float bias;
} lfm_logit_bias;

typedef struct lfm_sampling {
  size_t size;
  float temperature;        /* 0: always the best token */
  int32_t top_k;            /* 0: off */
  float top_p;              /* 1: off */
  float min_p;              /* 0: off */
  float typical_p;          /* 1: off */
  float repetition_penalty; /* 1: off */
  float presence_penalty;
  float frequency_penalty;
  uint64_t seed;
  const lfm_logit_bias* logit_bias;
  size_t n_logit_bias;
} lfm_sampling;

/* The settings that the model's makers recommend. */
LFM_API void lfm_sampling_init(lfm_sampling* sampling, const lfm_model* model);
LFM_API lfm_status lfm_sampler_create(const lfm_model* model, const lfm_sampling* sampling, lfm_sampler** out, lfm_error* error);
LFM_API void lfm_sampler_free(lfm_sampler* sampler);
/* Tokens of the prompt, for the repetition penalty. */
LFM_API void lfm_sampler_accept_prompt(lfm_sampler* sampler, const int32_t* ids, size_t n_ids);
/* Chooses the next token from the session's logits and takes it as generated. It is not read by the session yet. The
 * session must be of a model with as large a vocabulary as the sampler's. */
LFM_API lfm_status lfm_sampler_sample(lfm_sampler* sampler, const lfm_session* session, int32_t* id, lfm_error* error);

/* The same among the tokens whose bit is set in `bits` alone (see lfm_grammar_mask). */
LFM_API lfm_status lfm_sampler_sample_masked(lfm_sampler* sampler, const lfm_session* session, const uint32_t* bits,
                                             size_t n_words, int32_t* id, lfm_error* error);

/* ---- grammars: answers that cannot fail ---- */

/* `spec` is a JSON object with one of
 *   "schema": a JSON Schema,  "json": true (any object),  "regex": "...",  "choice": ["...", ...],
 *   "grammar": "..." (llguidance's Lark dialect, or GBNF),
 *   "tools": a list as in a request; then perhaps "tool_choice" ("auto", "required", "none" or a name), "parallel" (false:
 *   at most one call) and "quotes" ("double": no other strings)
 * and perhaps "order" ("any": properties come in any order), "compact": true (no white space), "unsupported": "annotate" (what
 * cannot be enforced loosens the grammar; lfm_grammar_info lists it). What cannot be enforced is otherwise
 * LFM_UNSUPPORTED: the message names the keyword and the JSON pointer. */
LFM_API lfm_status lfm_grammar_compile(const lfm_model* model, const char* spec, size_t length, lfm_grammar** out,
                                       lfm_error* error);
LFM_API void lfm_grammar_free(lfm_grammar* grammar);
/* {"unenforced": [{"keyword", "pointer", "message"}], "normal_form": "..."} */
LFM_API lfm_status lfm_grammar_info(const lfm_grammar* grammar, char** json, size_t* length, lfm_error* error);

/* The state before the first token of an answer. */
LFM_API lfm_status lfm_grammar_state_create(const lfm_grammar* grammar, lfm_grammar_state** out, lfm_error* error);
/* A second state at the same place: both go on by themselves. Cheap; an old state kept is a way back. */
LFM_API lfm_status lfm_grammar_fork(const lfm_grammar_state* state, lfm_grammar_state** out, lfm_error* error);
LFM_API void lfm_grammar_state_free(lfm_grammar_state* state);
/* Which tokens may come next: id i is bit i % 32 of word i / 32. n_words is (vocab_size + 31) / 32. */
LFM_API lfm_status lfm_grammar_mask(const lfm_grammar_state* state, uint32_t* bits, size_t n_words, lfm_error* error);
/* Moves on by a token. LFM_INVALID_ARGUMENT where it is not allowed; the state is then as it was. */
LFM_API lfm_status lfm_grammar_accept(lfm_grammar_state* state, int32_t id, lfm_error* error);
/* 1 where the answer may end here. */
LFM_API int lfm_grammar_accepting(const lfm_grammar_state* state);
/* A short text that ends the answer from here. LFM_LIMIT where none of max_bytes was found. */
LFM_API lfm_status lfm_grammar_completion(const lfm_grammar_state* state, size_t max_bytes, char** text, size_t* length,
                                          lfm_error* error);

/* An answer's text to what it says, thinks and calls. `request` is {"text": "...", "tools": [...], "reasoning_open": false,
 * "guided": false} (all but the text may be missing; guided: a grammar held the calls). `json` becomes {"calls":
 * [{"name", "arguments"}], "content", "reasoning"}. Nothing is ever an error of the text: what is no call is content. */
LFM_API lfm_status lfm_parse_answer(const char* request, size_t request_length, char** json, size_t* length, lfm_error* error);

/* ---- a whole answer ---- */

typedef struct lfm_token {
  size_t size;
  int32_t id;
  float logprob;    /* of the model's own distribution; 0 unless wanted */
  const char* text; /* what is certain now: valid UTF-8, often empty */
  size_t length;
} lfm_token;

/* Called for each token; nonzero ends the answer. */
typedef int (*lfm_token_callback)(void* user, const lfm_token* token);

typedef struct lfm_generate_options {
  size_t size;
  int64_t max_tokens;       /* -1: to the end of the context */
  const char* const* stops; /* stop strings, each ended by NUL */
  size_t n_stops;
  int ignore_eos;
  int show_special; /* write special tokens into the text */
  int want_logprobs;
  lfm_token_callback on_token; /* may be NULL */
  void* user;
  const lfm_grammar* grammar; /* of the same model; NULL: free text. Where the prompt ends in <think> it begins behind
                               * </think>. Where max_tokens comes near, the answer is closed the shortest way. */
  int may_think;              /* with a grammar: a block of thinking may come before it */
} lfm_generate_options;

typedef enum lfm_stop_reason {
  LFM_STOP_EOS = 0,
  LFM_STOP_LENGTH = 1,
  LFM_STOP_STRING = 2,
  LFM_STOP_CANCELLED = 3
} lfm_stop_reason;

typedef struct lfm_generation {
  size_t size;
  lfm_stop_reason stop_reason;
  int32_t* ids; /* generated ones; lfm_free() */
  size_t n_ids;
  char* text; /* valid UTF-8; lfm_free() */
  size_t length;
  int64_t n_prompt_read, n_prompt_reused;
  double prompt_ms, predicted_ms;
} lfm_generation;

LFM_API void lfm_generate_options_init(lfm_generate_options* options);
LFM_API void lfm_generation_init(lfm_generation* generation);
/* Reads the prompt (reusing what the session has of it) and generates. Checks everything before any work. */
LFM_API lfm_status lfm_generate(lfm_session* session, const int32_t* prompt, size_t n_prompt, const lfm_sampling* sampling,
                                const lfm_generate_options* options, lfm_generation* out, lfm_error* error);

/* ---- classification ---- */

typedef struct lfm_classifier lfm_classifier;

typedef enum lfm_classify_method {
  LFM_CLASSIFY_TRIE = 0, /* softmax where the labels' tokens part: what sampling under an enum draws from */
  LFM_CLASSIFY_FULL = 1  /* likelihood of all of a label's tokens, renormalised over the labels */
} lfm_classify_method;

typedef struct lfm_classifier_options {
  size_t size;
  int32_t n_threads; /* 0: the machine's best */
  lfm_classify_method method;
  int32_t permutations; /* mean over so many orders of the labels in the prompt; 1: the given one */
  int32_t multi_label;  /* nonzero: a yes/no question for each label; probabilities do not sum to 1 */
  uint64_t seed;        /* of the orders */
  int64_t n_ctx;        /* positions of prompt and text; 0: the model's context length */
} lfm_classifier_options;

LFM_API void lfm_classifier_options_init(lfm_classifier_options* options);
/* `labels`: "a,b,c", or JSON: names or {"name", "description", "examples", "parent"}. Reads what all prompts share. A
 * classifier belongs to one thread at a time and keeps its model alive. options may be NULL. */
LFM_API lfm_status lfm_classifier_create(lfm_model* model, const char* labels, size_t length,
                                         const lfm_classifier_options* options, lfm_classifier** out, lfm_error* error);
LFM_API void lfm_classifier_free(lfm_classifier* classifier);
/* The classes are the labels by rising name (by code point), as scikit-learn's classes_ are: column i is class i. */
LFM_API size_t lfm_classifier_n_classes(const lfm_classifier* classifier);
LFM_API const char* lfm_classifier_class(const lfm_classifier* classifier, size_t i); /* NULL beyond the last; UTF-8 */
/* predict and predict_proba in one: classes[n_texts] gets the likeliest class, probabilities[n_texts][n_classes] all of them,
 * label_mass[n_texts] the probability that the model begins any label at all (low: none fits). Each may be NULL. A text
 * that is too long for the context, holds NUL or is no UTF-8 has class -1 and NaN, and harms no other. The bits of a row
 * are its text's alone. */
LFM_API lfm_status lfm_classify(lfm_classifier* classifier, const char* const* texts, const size_t* lengths, size_t n_texts,
                                int32_t* classes, double* probabilities, double* label_mass, lfm_error* error);

#ifdef __cplusplus
}
#endif
#endif /* LFM_LFM_H_ */
