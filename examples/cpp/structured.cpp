// Answers that a program can read: under a schema, with the loop by hand, and as calls of a tool.
#include <cstdio>
#include <iostream>
#include <lfm/lfm.hpp>

namespace {

using lfm::api::Grammar;
using lfm::api::GrammarState;
using lfm::api::Model;
using lfm::api::Sampler;
using lfm::api::Session;

constexpr const char* kPerson = R"({"schema": {"type": "object",
  "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 150}},
  "required": ["name", "age"], "additionalProperties": false}})";
constexpr const char* kTools = R"({"tools": [{"name": "set_light", "parameters": {"type": "object",
  "properties": {"room": {"enum": ["kitchen", "hall"]}, "on": {"type": "boolean"}}, "required": ["room", "on"],
  "additionalProperties": false}}], "tool_choice": "required", "parallel": false})";

// Mask, sample, accept: what Session::Generate does with a grammar.
std::string ByHand(const Model& model, Session& session, const Grammar& grammar, const lfm_sampling& sampling) {
  Sampler sampler(model, sampling);
  GrammarState state(grammar);
  std::vector<int32_t> ids;
  while (ids.size() < 64) {
    const int32_t id = sampler.Sample(session, state.Mask(model));
    if (model.IsEndOfGeneration(id)) return model.Detokenize(ids);
    state.Accept(id);
    session.Decode(id);
    ids.push_back(id);
  }
  return model.Detokenize(ids) + state.Completion();  // the shortest end from here
}

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned char>(c));
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
    out += plain ? std::string(1, c) : escaped;
  }
  return out + "\"";
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) return std::cerr << "usage: structured MODEL TEXT\n", 2;
  const Model model(argv[1]);
  const std::vector<int32_t> prompt = model.Tokenize(argv[2]);
  lfm_sampling sampling = model.Sampling();
  sampling.seed = 42;
  const Grammar person(model, kPerson);
  Session session(model);
  std::cout << session.Generate(prompt, sampling, 64, {}, &person) << "\n";

  Session other(model);
  other.Prefill(prompt);
  std::cout << ByHand(model, other, person, sampling) << "\n";

  const Grammar tools(model, kTools);
  const std::string call = session.Generate(prompt, sampling, 64, {}, &tools);
  std::cout << lfm::api::ParseAnswer("{\"guided\": true, \"text\": " + Quoted(call) + "}") << "\n";
} catch (const lfm::api::Error& error) {
  return std::cerr << error.what() << "\n", 1;
}
