/* Answers one question: cc chat.c $(pkg-config --cflags --libs lfm) && ./a.out MODEL "Why is the sky blue?" */
#include <lfm/lfm.h>
#include <stdio.h>
#include <string.h>

static int print(void* user, const lfm_token* token) {
  (void)user;
  fwrite(token->text, 1, token->length, stdout);
  return fflush(stdout) != 0;
}

int main(int argc, char** argv) {
  lfm_error error;
  lfm_model* model = NULL;
  lfm_session* session = NULL;
  char request[4096];
  size_t n_ids = 0;
  int32_t* ids = NULL;
  lfm_sampling sampling;
  lfm_generate_options options;
  lfm_generation answer;
  if (argc < 3 || strpbrk(argv[2], "\"\\")) return 2; /* a real program escapes JSON */
  snprintf(request, sizeof request, "{\"messages\": [{\"role\": \"user\", \"content\": \"%s\"}]}", argv[2]);
  lfm_generate_options_init(&options);
  options.max_tokens = 64;
  options.on_token = print;
  lfm_generation_init(&answer);
  if (lfm_model_load(argv[1], NULL, &model, &error) || lfm_session_create(model, NULL, &session, &error) ||
      lfm_prompt_ids(model, request, strlen(request), &ids, &n_ids, &error)) {
    return fprintf(stderr, "%s\n", error.message), 1;
  }
  lfm_sampling_init(&sampling, model);
  if (lfm_generate(session, ids, n_ids, &sampling, &options, &answer, &error)) fprintf(stderr, "%s\n", error.message);
  lfm_free(answer.ids), lfm_free(answer.text), lfm_free(ids);
  lfm_session_free(session), lfm_model_free(model);
  return error.status;
}
