// Renders arbitrary JSON as messages, tools and options through templates that look into every corner of
// them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "text/chat.h"

namespace {

constexpr std::string_view kTemplate = R"(
{%- macro show(v) %}{% if v is mapping %}{% for k, x in v | items %}{{ k }}={{ show(x) }};{% endfor %}
{%- elif v is string %}{{ v | trim }}{{ v.split('</think>')[-1][:5] }}{% elif v is iterable %}{{ v | map('string') | join(',') }}
{%- else %}{{ v | tojson }}{% endif %}{% endmacro %}
{%- for m in messages %}{{ m.role | default('none') }}:{{ show(m.content) }}{{ m.thinking }}
{%- for c in m.tool_calls or [] %}{{ c | string }}{% endfor %}
{%- endfor %}{{ tools | tojson(indent=2) }}{{ documents }}{{ x }})";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lfm;
  using namespace lfm::text;
  static const ChatTemplate chat = ChatTemplate::Make(kTemplate, Json::MakeObject({{"bos_token", "<s>"}})).value();
  auto row = ParseJson({reinterpret_cast<const char*>(data), size});
  if (!row.ok()) return 0;
  ChatOptions options;
  options.tools = row->Find("tools");
  options.documents = row->Find("documents");
  options.add_generation_prompt = (*row)["add_generation_prompt"].AsBool();
  options.continue_final_message = (*row)["continue_final_message"].AsBool();
  options.extra = Json::MakeObject({{"x", (*row)["x"]}});
  options.render.limits.max_steps = 200'000;
  options.render.limits.max_output = size_t{4} << 20;
  const auto result = RenderChat(chat, (*row)["messages"], options);
  if (result.ok()) static_cast<void>(PromptOpensThinking(result.value()));
  return 0;
}
