// Bodies of /v1/responses through their translation.
#include "api_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lfm;
  return fuzz::TryBody(data, size, [](const Json& body, const server::HttpRequest& http, const server::ServedModel& model) {
    static server::ResponseStore store;
    return server::TranslateResponses(body, http, model, store);
  });
}
