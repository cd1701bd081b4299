// The packed file: a model's weights in the layout of the kernels, ready to be mapped, together with everything else of
// the model (metadata, tokenizer, template, small tensors), so that the original can be deleted.
//
// Layout, little-endian (docs/packed-file.md): magic "LFMPACK1", u32 version, u32 numerics version, u64 bytes of the
// header, u64 hash of header and blobs, JSON header, blobs, zeros up to a page, weights, hashes of the weights. The header
// lists every tensor of the source; those that are no matrices have their bytes among the blobs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "base/file.h"
#include "base/result.h"
#include "base/threads.h"
#include "formats/checkpoint.h"

namespace lfm::formats {

constexpr uint32_t kPackedVersion = 2;
constexpr uint32_t kNumericsVersion = 1;
constexpr size_t kHashedBytes = size_t{1} << 20;  // of weights under one hash

bool IsPacked(std::span<const std::byte> bytes);

// Opens and validates: sizes, version, the hash of everything but the weights. Matrices have no `bytes`.
Result<Checkpoint> OpenPacked(MappedFile file);

// Compares the weights of a packed checkpoint with their hashes, on all threads: reads them once, at about the speed of
// memory. kCorrupt names the first damaged part. `go_on` is asked now and then on the calling thread: false is kCancelled.
Status CheckPackedWeights(const Checkpoint& checkpoint, Threads& threads, const std::function<bool()>& go_on = {});

// Recognises a model by its sizes and samples of its content, so that a packed file knows its source wherever that was
// moved. Reads at most a few MB.
uint64_t SourceKey(const Checkpoint& source);

// Writes the file around `fill`, which receives the zeroed weight region to fill. `is_matrix` tells which tensors live
// in that region. The file gets its name only when all is done. `go_on` as above, while the weights are hashed.
Status WritePacked(const Checkpoint& source, uint64_t plan, size_t weight_bytes, Threads& threads,
                   const std::function<bool(const Tensor&)>& is_matrix, const std::function<Status(std::span<std::byte>)>& fill,
                   const std::string& path, const std::function<bool()>& go_on = {});

}  // namespace lfm::formats
