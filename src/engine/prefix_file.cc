#include "engine/prefix_file.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/byte_reader.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/strings.h"
#include "engine/engine_impl.h"
#include "formats/packed_file.h"

namespace lfm::engine {
namespace {

constexpr char kMagic[8] = {'L', 'F', 'M', 'P', 'F', 'X', '0', '1'};
constexpr size_t kMaxTenantBytes = size_t{1} << 20;

struct Header {
  char magic[8];
  uint64_t layout, model, page_bytes;
  uint32_t numerics, vocab_size;
  uint64_t n_pages;
  uint64_t hash;  // of all entries, one after the other
};

// In front of each page's tenant, ids and data.
struct EntryHeader {
  int64_t parent;
  uint64_t tenant_bytes;
};

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

PrefixFileKey MakePrefixFileKey(const model::Model& model, const model::StateLayout& layout) {
  PrefixFileKey key{layout.fingerprint, 0, layout.page_bytes, model.config.vocab_size};
  const auto sample = [&](const model::Matrix& matrix) {
    const uint64_t sizes[] = {static_cast<uint64_t>(matrix.type), static_cast<uint64_t>(matrix.rows),
                              static_cast<uint64_t>(matrix.k)};
    key.model = Hash64(std::as_bytes(std::span(sizes)), key.model);
    if (!matrix.data) return;
    for (const int64_t unit : {int64_t{0}, matrix.n_units() / 2, matrix.n_units() - 1}) {
      key.model = Hash64({matrix.panel(unit, 0), matrix.panel_bytes}, key.model);
    }
  };
  sample(model.weights.embedding);
  sample(model.weights.head);
  for (const model::Layer& layer : model.weights.layers) {
    key.model = Hash64(std::as_bytes(std::span(layer.operator_norm)), key.model);
    key.model = Hash64(std::as_bytes(std::span(layer.ffn_norm)), key.model);
    for (const model::Matrix* matrix :
         {&layer.conv.in_proj, &layer.conv.out_proj, &layer.attention.q, &layer.attention.k, &layer.attention.v,
          &layer.attention.out, &layer.dense.gate, &layer.dense.up, &layer.dense.down}) {
      sample(*matrix);
    }
    for (const model::SwiGlu& expert : layer.moe.experts) sample(expert.down);
  }
  const auto compute = static_cast<uint64_t>(model.compute);
  key.model = Hash64(BytesOf(compute), key.model);
  return key;
}

Status WritePrefixFile(const std::string& path, const PrefixFileKey& key, const PrefixCache& cache) {
  LFM_TRY(AtomicFile file, AtomicFile::Create(path, 0600));
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.layout = key.layout;
  header.model = key.model;
  header.page_bytes = key.page_bytes;
  header.numerics = formats::kNumericsVersion;
  header.vocab_size = static_cast<uint32_t>(key.vocab_size);
  header.n_pages = static_cast<uint64_t>(cache.n_pages());
  LFM_RETURN_IF_ERROR(file.Append(BytesOf(header)));
  Status status;
  const auto put = [&](std::span<const std::byte> bytes) {
    header.hash = Hash64(bytes, header.hash);
    if (status.ok()) status = file.Append(bytes);
  };
  cache.Visit([&](const std::string& tenant, int64_t parent, std::span<const int32_t> ids, const PrefixCache::PageRef& page) {
    const EntryHeader entry{parent, tenant.size()};
    put(BytesOf(entry));
    put(std::as_bytes(std::span(tenant)));
    put(std::as_bytes(ids));
    put({page->data(), key.page_bytes});
  });
  if (!status.ok()) return status.error();
  LFM_RETURN_IF_ERROR(file.WriteAt(0, BytesOf(header)));
  return file.Commit();
}

Status ReadPrefixFile(std::span<const std::byte> bytes, const PrefixFileKey& key,
                      const std::function<bool(const PrefixFilePage&)>& take) {
  Header header{};
  const std::span<const std::byte> magic = std::as_bytes(std::span(kMagic));
  const std::span<const std::byte> begin = bytes.first(std::min(bytes.size(), magic.size()));
  if (!std::equal(begin.begin(), begin.end(), magic.begin())) {
    return Error{ErrorCode::kUnsupported, "this is no prefix cache of lfm (wrong magic at byte 0)"};
  }
  if (bytes.size() < sizeof header) return Error{ErrorCode::kCorrupt, "the prefix cache is cut short"};
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.layout != key.layout || header.model != key.model || header.page_bytes != key.page_bytes ||
      header.numerics != formats::kNumericsVersion || header.vocab_size != static_cast<uint32_t>(key.vocab_size)) {
    return Error{ErrorCode::kInvalidArgument, "this prefix cache is of another model, KV type or version of lfm"};
  }
  // Twice over the entries: first all is checked, then it is used.
  uint64_t hash = 0;
  std::vector<int32_t> ids(PrefixCache::kPageTokens);
  for (const bool checks : {true, false}) {
    ByteReader reader(bytes.subspan(sizeof header));
    for (uint64_t i = 0; i < header.n_pages; ++i) {
      LFM_TRY(const auto head, reader.ReadBytes(sizeof(EntryHeader), "the head of a page"));
      EntryHeader entry{};
      std::memcpy(&entry, head.data(), sizeof entry);
      if (entry.parent < -1 || entry.parent >= static_cast<int64_t>(i) || entry.tenant_bytes > kMaxTenantBytes) {
        return Error{ErrorCode::kCorrupt, StrCat("page ", i, " of the prefix cache has an impossible head")};
      }
      LFM_TRY(const auto tenant, reader.ReadBytes(entry.tenant_bytes, "a tenant"));
      LFM_TRY(const auto id_bytes, reader.ReadBytes(PrefixCache::kPageTokens * sizeof(int32_t), "ids"));
      LFM_TRY(const auto data, reader.ReadBytes(key.page_bytes, "a page"));
      if (checks) {
        for (const auto part : {head, tenant, id_bytes, data}) hash = Hash64(part, hash);
        continue;
      }
      std::memcpy(ids.data(), id_bytes.data(), id_bytes.size());
      const char* name = reinterpret_cast<const char*>(tenant.data());
      if (!take({{name, tenant.size()}, entry.parent, ids, data})) return Ok();
    }
    if (checks && (reader.left() != 0 || hash != header.hash)) {
      return Error{ErrorCode::kCorrupt, "the prefix cache is damaged: its size or its hash differs"};
    }
  }
  return Ok();
}

Status Engine::Impl::WriteCache(const std::string& path) const {
  return WritePrefixFile(path, MakePrefixFileKey(model_->network(), pool_.layout()), cache_);
}

Status Engine::Impl::ReadCache(const std::string& path) {
  if (!options_.prefix_cache) return Error{ErrorCode::kInvalidArgument, "the prefix cache is off"};
  auto file = MappedFile::Open(path);
  if (!file.ok()) return file.error();
  std::vector<uint64_t> places;
  const Status status =
      ReadPrefixFile(file->bytes(), MakePrefixFileKey(model_->network(), pool_.layout()), [&](const PrefixFilePage& page) {
        auto taken = pool_.Take(1);
        if (!taken.ok()) return false;
        std::memcpy(taken->front()->data(), page.data.data(), page.data.size());
        const uint64_t parent = page.parent < 0 ? 0 : places[static_cast<size_t>(page.parent)];
        const bool has_parent = page.parent < 0 || parent != 0;
        places.push_back(has_parent ? cache_.InsertBehind(std::string(page.tenant), parent, page.ids, taken->front()) : 0);
        return true;
      });
  ++cache_version_;
  return status.ok() ? status : status.error().Within(path);
}

}  // namespace lfm::engine
