#include "server/served_model.h"

#include <algorithm>

#include "base/strings.h"

namespace lfm::server {

ApiStatus CheckModelName(const ServedModel& model, const Json* name, bool must_be_named) {
  if (!name || name->is_null()) {
    if (!must_be_named || model.any_name) return {};
    return BadRequest("model is missing", "model", "missing_required_parameter");
  }
  if (!name->is_string()) return BadRequest("model must be a string", "model", "invalid_type");
  if (model.any_name) return {};
  if (std::find(model.names.begin(), model.names.end(), name->AsString()) != model.names.end()) return {};
  return ApiError{404,
                  StrCat("The model ", Quote(name->AsString(), 100), " does not exist here; /v1/models lists what is served"),
                  "model", "model_not_found"};
}

std::string AnswerModelName(const ServedModel& model, const Json& body) {
  const std::string& asked = body["model"].AsString();
  const bool known = std::find(model.names.begin(), model.names.end(), asked) != model.names.end();
  return known ? asked : model.names.front();
}

}  // namespace lfm::server
