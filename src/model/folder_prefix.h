// What stands before the names of a folder's tensors.
#pragma once

#include <string>

#include "formats/checkpoint.h"

namespace lfm::model {

// "model.", nothing, or the prefixes of wrappers, as before the embedding of this folder. "model." where there is none; empty
// for GGUF.
std::string FolderPrefix(const formats::Checkpoint& checkpoint);

}  // namespace lfm::model
