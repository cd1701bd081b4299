#include "base/tensor_type.h"

#include <algorithm>
#include <cctype>

#include "base/check.h"

namespace lfm {
namespace {

constexpr TensorTypeInfo kTypes[] = {
    {TensorType::kF32, "F32", 1, 4, false},           {TensorType::kF16, "F16", 1, 2, false},
    {TensorType::kQ4_0, "Q4_0", 32, 18, true},        {TensorType::kQ4_1, "Q4_1", 32, 20, true},
    {TensorType::kQ5_0, "Q5_0", 32, 22, true},        {TensorType::kQ5_1, "Q5_1", 32, 24, true},
    {TensorType::kQ8_0, "Q8_0", 32, 34, true},        {TensorType::kQ2_K, "Q2_K", 256, 84, true},
    {TensorType::kQ3_K, "Q3_K", 256, 110, true},      {TensorType::kQ4_K, "Q4_K", 256, 144, true},
    {TensorType::kQ5_K, "Q5_K", 256, 176, true},      {TensorType::kQ6_K, "Q6_K", 256, 210, true},
    {TensorType::kIQ4_NL, "IQ4_NL", 32, 18, true},    {TensorType::kIQ4_XS, "IQ4_XS", 256, 136, true},
    {TensorType::kBF16, "BF16", 1, 2, false},         {TensorType::kMXFP4, "MXFP4", 32, 17, true},
    {TensorType::kIQ1_S, "IQ1_S", 256, 50, true},     {TensorType::kIQ1_M, "IQ1_M", 256, 56, true},
    {TensorType::kIQ2_XXS, "IQ2_XXS", 256, 66, true}, {TensorType::kIQ2_XS, "IQ2_XS", 256, 74, true},
    {TensorType::kIQ2_S, "IQ2_S", 256, 82, true},     {TensorType::kIQ3_XXS, "IQ3_XXS", 256, 98, true},
    {TensorType::kIQ3_S, "IQ3_S", 256, 110, true},    {TensorType::kTQ1_0, "TQ1_0", 256, 54, true},
    {TensorType::kTQ2_0, "TQ2_0", 256, 66, true},
};

struct ForeignType {
  uint32_t id;
  std::string_view name;
};
constexpr ForeignType kForeign[] = {
    {9, "Q8_1"},        {15, "Q8_K"},     {24, "I8"},       {25, "I16"},      {26, "I32"},        {27, "I64"},
    {28, "F64"},        {31, "Q4_0_4_4"}, {32, "Q4_0_4_8"}, {33, "Q4_0_8_8"}, {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"},
    {38, "IQ4_NL_8_8"}, {40, "NVFP4"},    {41, "Q1_0"},     {42, "Q2_0"},
};

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

const TensorTypeInfo& InfoOf(TensorType type) {
  for (const TensorTypeInfo& info : kTypes) {
    if (info.type == type) return info;
  }
  LFM_CHECK(false);
}

std::optional<TensorType> TensorTypeFromId(uint32_t id) {
  for (const TensorTypeInfo& info : kTypes) {
    if (static_cast<uint32_t>(info.type) == id) return info.type;
  }
  return std::nullopt;
}

std::optional<TensorType> TensorTypeFromName(std::string_view name) {
  for (const TensorTypeInfo& info : kTypes) {
    if (EqualIgnoringCase(info.name, name)) return info.type;
  }
  return std::nullopt;
}

std::string_view TensorTypeIdName(uint32_t id) {
  if (const auto type = TensorTypeFromId(id)) return InfoOf(*type).name;
  for (const ForeignType& foreign : kForeign) {
    if (foreign.id == id) return foreign.name;
  }
  return "";
}

size_t RowBytes(TensorType type, size_t n) {
  const TensorTypeInfo& info = InfoOf(type);
  LFM_CHECK(n % info.block_size == 0);
  return n / info.block_size * info.block_bytes;
}

}  // namespace lfm
