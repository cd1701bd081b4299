// What the translation of requests must know of the model that is served.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/text_model.h"
#include "server/api_result.h"
#include "server/pricing.h"

namespace lfm::server {

class GrammarSet;

// Immutable while the server runs; borrows the model's text half.
struct ServedModel {
  const engine::TextModel* text = nullptr;
  std::vector<std::string> names;  // the id and its aliases; answers carry the first, or the one that was asked for
  bool any_name = false;           // requests may name any model
  int64_t n_ctx = 0;               // positions of one sequence
  int32_t vocab_size = 0;
  engine::SamplingParams sampling;  // where a request asks for nothing else; seed only where has_seed
  bool has_seed = false;            // without: every request draws its own seed
  bool own_template = false;        // the operator's, not the model's: it also gets the variables that llama.cpp gives
  int64_t max_tokens = -1;          // where a request asks for nothing else; -1: to the end of the context
  std::string fingerprint;          // build, weights, numerics version
  std::string weights_key;          // of the weights alone: what a calibration was fitted with
  int64_t created = 0;              // of the model's file, seconds since 1970
  std::string path;                 // the model's file
  std::string hugging_face_id;      // "" where it is not known
  std::string quantization;         // in OpenRouter's words ("int8", "int4", ...), "" where there is none
  Json meta;                        // figures for /v1/models and /props: n_params, size ...
  Pricing pricing;
  std::shared_ptr<GrammarSet> grammars;  // what answers are held to
};

// 404 model_not_found unless the name is served; `name` null: the request named none.
ApiStatus CheckModelName(const ServedModel& model, const Json* name, bool must_be_named);

// The name that the answer carries.
std::string AnswerModelName(const ServedModel& model, const Json& body);

}  // namespace lfm::server
