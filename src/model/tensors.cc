#include "model/tensors.h"

#include <string_view>

namespace lfm::model {
namespace {

struct Names {
  std::string_view gguf, hugging_face;
};
constexpr Names kNames[] = {
#define TENSOR(field, gguf, hugging_face, shape) {gguf, hugging_face},
#include "model/tensors.inc"
#undef TENSOR
};

void Substitute(std::string& name, std::string_view mark, int value) {
  if (const size_t at = name.find(mark); at != std::string::npos) {
    name.replace(at, mark.size(), std::to_string(value));
  }
}

}  // namespace

std::string TensorName(TensorField field, formats::Naming naming, int i_layer, int i_expert) {
  const Names& names = kNames[static_cast<size_t>(field)];
  std::string name(naming == formats::Naming::kGguf ? names.gguf : names.hugging_face);
  Substitute(name, "{}", i_layer);
  Substitute(name, "{e}", i_expert);
  return name;
}

const formats::Tensor* FindTensor(const formats::Checkpoint& checkpoint, TensorField field, int i_layer,
                                  int i_expert) {
  const std::string name = TensorName(field, checkpoint.naming, i_layer, i_expert);
  return name.empty() ? nullptr : checkpoint.Find(name);
}

}  // namespace lfm::model
