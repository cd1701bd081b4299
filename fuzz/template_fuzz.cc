// Parses arbitrary text as a chat template and renders it under tight limits.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "jinja/jinja.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lfm;
  using namespace lfm::jinja;
  static const Json variables =
      ParseJson(
          R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": [{"type": "text", "text": "é"}]},
          {"role": "assistant", "content": "a", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1.5, "y": null}}}]}],
          "tools": [{"name": "f", "parameters": {"type": "object"}}], "bos_token": "<s>", "add_generation_prompt": true,
          "n": 123456789012345678901234567890})")
          .value();
  const auto parsed = Template::Parse({reinterpret_cast<const char*>(data), size});
  if (!parsed.ok()) return 0;
  RenderOptions options;
  options.clock = [] { return LocalTime{2024, 7, 26, 15, 4, 5, 123456}; };
  options.limits.max_steps = 30'000;
  options.limits.max_output = size_t{1} << 20;
  options.limits.max_memory = size_t{16} << 20;
  static_cast<void>(parsed->Render(variables, options).ok());
  return 0;
}
