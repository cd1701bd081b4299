// Bodies of /v1/messages through their translation.
#include "api_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lfm;
  return fuzz::TryBody(data, size, [](const Json& body, const server::HttpRequest& http, const server::ServedModel& model) {
    return server::TranslateMessages(body, http, model);
  });
}
