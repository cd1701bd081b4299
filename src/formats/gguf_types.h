// Numbers that GGUF's reader and writers share.
#pragma once

#include <cstdint>

namespace lfm::formats {

// Types of metadata values, by their ids in the file.
enum class GgufType : uint32_t { kU8 = 0, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

// tokenizer.ggml.token_type of a vocabulary entry.
enum class GgufTokenType : int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };

}  // namespace lfm::formats
