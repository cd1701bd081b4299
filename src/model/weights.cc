// Loading in two passes over the same walk through the model: the first adds up where every matrix will lie, the second
// packs it there. So there is one allocation, and gate and up units of a SwiGLU can alternate.
#include "model/weights.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <unordered_set>

#include "base/strings.h"
#include "formats/packed_file.h"
#include "model/memory_check.h"

namespace lfm::model {
namespace {

using formats::Checkpoint;
using formats::Tensor;
using kernels::kLanes;

struct PackJob {
  RowRange source;
  Matrix* matrix = nullptr;
  size_t offset = 0;
};

// Anonymous memory on huge pages where the system has them.
class Arena {
 public:
  static Result<std::shared_ptr<Arena>> Create(size_t size) {
    auto arena = std::make_shared<Arena>();
    if (size == 0) return arena;
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED) {
      return Error{ErrorCode::kOutOfMemory,
                   StrCat("no memory for ", HumanBytes(size), " of weights; close other ", "programs or choose a smaller file")};
    }
    madvise(data, size, MADV_HUGEPAGE);
    arena->data_ = static_cast<std::byte*>(data);
    arena->size_ = size;
    return arena;
  }
  ~Arena() {
    if (data_) munmap(data_, size_);
  }
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const Config& config, Threads& threads, const LoadProgress& progress)
      : checkpoint_(checkpoint), config_(config), threads_(threads), progress_(progress) {}

  // Packs into fresh memory, or finds everything in place in a packed file.
  Result<Weights> Load() {
    LFM_RETURN_IF_ERROR(Plan());
    if (checkpoint_.packed.bytes.empty()) {
      LFM_RETURN_IF_ERROR(CheckWeightMemory(size_, NumberOfElements(), checkpoint_.path));
      LFM_TRY(std::shared_ptr<Arena> arena, Arena::Create(size_));
      LFM_RETURN_IF_ERROR(PackAll(arena->data()));
      weights_.memory = std::move(arena);
    } else {
      LFM_RETURN_IF_ERROR(Bind());
    }
    if (!FindTensor(checkpoint_, TensorField::kHead)) weights_.head = weights_.embedding;  // tied
    weights_.packed_bytes = size_;
    return std::move(weights_);
  }

  // Writes the packed file instead.
  Status Write(const std::string& path) {
    LFM_RETURN_IF_ERROR(Plan());
    std::unordered_set<const Tensor*> matrices;
    for (const PackJob& job : jobs_) matrices.insert(job.source.tensor);
    return formats::WritePacked(
        checkpoint_, Fingerprint(), size_, threads_, [&](const Tensor& tensor) { return matrices.contains(&tensor); },
        [&](std::span<std::byte> region) { return PackAll(region.data()); }, path, GoOn());
  }

 private:
  // Progress as a question; null where nobody listens.
  std::function<bool()> GoOn() {
    return progress_ ? std::function<bool()>([this] { return progress_(done_, Total()); }) : nullptr;
  }
  uint64_t NumberOfElements() const {
    uint64_t n = 0;
    for (const PackJob& job : jobs_) n += static_cast<uint64_t>(job.source.n_rows * job.matrix->k);
    return n;
  }
  Status PackAll(std::byte* base) {
    for (const PackJob& job : jobs_) LFM_RETURN_IF_ERROR(Pack(job, base));
    return Ok();
  }

  // Points the matrices into the packed file, whose mapping is shared: the checkpoint may be closed.
  Status Bind() {
    const formats::PackedWeights& packed = checkpoint_.packed;
    if (packed.plan != Fingerprint() || packed.bytes.size() != size_) {
      return Error{ErrorCode::kCorrupt, StrCat(checkpoint_.path, " has its weights in other places than this lfm ",
                                               "expects; delete it and pack the model again")};
    }
    if (!packed.checked) LFM_RETURN_IF_ERROR(formats::CheckPackedWeights(checkpoint_, threads_, GoOn()));
    for (const PackJob& job : jobs_) job.matrix->data = packed.bytes.data() + job.offset;
    weights_.memory = std::make_shared<MappedFile>(checkpoint_.files.front());
    return Ok();
  }

  // Of the places of all matrices (FNV-1a), so that a packed file of another layout is recognised.
  uint64_t Fingerprint() const {
    uint64_t hash = 0xCBF29CE484222325ull;
    for (const PackJob& job : jobs_) {
      for (const uint64_t value :
           {uint64_t{job.offset}, static_cast<uint64_t>(job.source.n_rows), static_cast<uint64_t>(job.matrix->k),
            uint64_t{job.matrix->unit_stride}, static_cast<uint64_t>(job.matrix->type)}) {
        hash = (hash ^ value) * 0x100000001B3ull;
      }
    }
    return hash >> 1;  // fits a signed JSON integer
  }

  Status Plan() {
    weights_.layers.resize(config_.layers.size());
    LFM_RETURN_IF_ERROR(ForEachField(config_, [&](TensorField field, int i_layer) { return PlanField(field, i_layer); }));
    // The embedding and the head lie behind the layers.
    LFM_RETURN_IF_ERROR(PlanMatrix(TensorField::kEmbedding, -1));
    return FindTensor(checkpoint_, TensorField::kHead) ? PlanMatrix(TensorField::kHead, -1) : Ok();
  }

  Status PlanField(TensorField field, int i) {
    using enum TensorField;
    Layer* const layer = i < 0 ? nullptr : &weights_.layers[static_cast<size_t>(i)];
    switch (field) {
      case kEmbedding:
      case kHead: return Ok();
      case kFinalNorm: return Vector(field, i, weights_.final_norm);
      case kOperatorNorm: return Vector(field, i, layer->operator_norm);
      case kFfnNorm: return Vector(field, i, layer->ffn_norm);
      case kConvTaps: return PlanTaps(i, layer->conv);
      case kAttentionQNorm: return Vector(field, i, layer->attention.q_norm);
      case kAttentionKNorm: return Vector(field, i, layer->attention.k_norm);
      case kExpertBias: return config_.use_expert_bias ? Vector(field, i, layer->moe.expert_bias) : Ok();
      case kFfnGate: return PlanSwiGlus({kFfnGate, kFfnUp, kFfnDown}, i, {&layer->dense, 1});
      case kExpertsGate:
        layer->moe.experts.resize(static_cast<size_t>(config_.n_experts));
        return PlanSwiGlus({kExpertsGate, kExpertsUp, kExpertsDown}, i, layer->moe.experts);
      case kFfnUp:
      case kFfnDown:
      case kExpertsUp:
      case kExpertsDown: return Ok();  // with their gate
      default: return PlanMatrix(field, i);
    }
  }

  Status PlanMatrix(TensorField field, int i) {
    LFM_TRY(const auto sources, Locate(checkpoint_, config_, field, i));
    Place(sources[0], ShapeOf(field, config_).back(), const_cast<Matrix&>(*MatrixOf(weights_, field, i)));
    return Ok();
  }

  // The networks of a layer: its dense one, or its experts one after the other.
  Status PlanSwiGlus(const std::array<TensorField, 3>& fields, int i, std::span<SwiGlu> networks) {
    std::array<std::vector<RowRange>, 3> sources;
    for (size_t f = 0; f < 3; ++f) {
      LFM_TRY(const auto ranges, Locate(checkpoint_, config_, fields[f], i));
      const auto n = static_cast<int64_t>(networks.size() / ranges.size());  // networks in a range
      for (const RowRange& range : ranges) {
        const int64_t rows = range.n_rows / n;
        for (int64_t e = 0; e < n; ++e) sources[f].push_back({range.tensor, range.first_row + e * rows, rows});
      }
    }
    const int64_t d = ShapeOf(fields[0], config_).back(), f = ShapeOf(fields[2], config_).back();
    for (size_t e = 0; e < networks.size(); ++e) {
      PlaceGateAndUp(sources[0][e], sources[1][e], d, networks[e]);
      Place(sources[2][e], f, networks[e].down);
    }
    return Ok();
  }

  Status PlanTaps(int i, ShortConv& conv) {
    std::vector<float> by_channel;  // [d][taps] on disk
    LFM_RETURN_IF_ERROR(Vector(TensorField::kConvTaps, i, by_channel));
    const auto n_taps = static_cast<size_t>(config_.n_taps), n = static_cast<size_t>(config_.d_model);
    conv.taps.resize(by_channel.size());
    for (size_t c = 0; c < n; ++c) {
      for (size_t j = 0; j < n_taps; ++j) conv.taps[j * n + c] = by_channel[c * n_taps + j];
    }
    return Ok();
  }

  // All values of a small tensor, of any type, as f32.
  Status Vector(TensorField field, int i_layer, std::vector<float>& out) {
    LFM_TRY(const auto sources, Locate(checkpoint_, config_, field, i_layer));
    const Tensor* const tensor = sources[0].tensor;
    const int64_t n = tensor->n_elements();
    if (tensor->bytes.size() != tensor->n_bytes()) return MissingTensor(checkpoint_, field, i_layer);
    out.resize(static_cast<size_t>(n));
    kernels::Dequantize(tensor->type, tensor->bytes.data(), n, out.data());
    for (const float value : out) {
      if (!(std::abs(value) <= 3.4e38f)) return NotFinite(*tensor, 0);
    }
    return Ok();
  }

  static Matrix Describe(const RowRange& source, int64_t k) {
    Matrix matrix;
    matrix.type = source.tensor->type;
    matrix.rows = source.n_rows;
    matrix.k = k;
    matrix.panel_bytes = kernels::PanelBytes(matrix.type, matrix.k);
    matrix.unit_stride = 2 * matrix.panel_bytes;
    return matrix;
  }

  void Place(const RowRange& source, int64_t k, Matrix& matrix) {
    matrix = Describe(source, k);
    jobs_.push_back({source, &matrix, size_});
    size_ += Align(static_cast<size_t>(matrix.n_units()) * matrix.unit_stride);
  }

  void PlaceGateAndUp(const RowRange& gate, const RowRange& up, int64_t k, SwiGlu& ffn) {
    ffn.gate = Describe(gate, k);
    ffn.up = Describe(up, k);
    const size_t stride = ffn.gate.unit_stride + ffn.up.unit_stride;
    jobs_.push_back({gate, &ffn.gate, size_});
    jobs_.push_back({up, &ffn.up, size_ + ffn.gate.unit_stride});
    size_ += Align(static_cast<size_t>(ffn.gate.n_units()) * stride);
    ffn.gate.unit_stride = ffn.up.unit_stride = stride;
  }

  Status Pack(const PackJob& job, std::byte* arena) {
    Matrix& matrix = *job.matrix;
    matrix.data = arena + job.offset;
    const Tensor& tensor = *job.source.tensor;
    const size_t row_bytes = RowBytes(matrix.type, static_cast<size_t>(matrix.k));
    const std::span<const std::byte> rows =
        tensor.bytes.subspan(static_cast<size_t>(job.source.first_row) * row_bytes, static_cast<size_t>(matrix.rows) * row_bytes);
    std::atomic<int64_t> bad_row{-1};
    threads_.For(matrix.n_units() * 2, 8, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i * kLanes;
        const auto n_valid = static_cast<int>(std::clamp<int64_t>(matrix.rows - first, 0, kLanes));
        auto* panel = const_cast<std::byte*>(matrix.panel(i / 2, static_cast<int>(i % 2)));
        const std::byte* from = n_valid > 0 ? rows.data() + static_cast<size_t>(first) * row_bytes : rows.data();
        if (!kernels::PackPanel(matrix.type, from, row_bytes, n_valid, matrix.k, panel)) bad_row = first;
      }
    });
    if (bad_row >= 0) return NotFinite(tensor, job.source.first_row + bad_row);
    checkpoint_.files[tensor.i_file].Release(rows);
    done_ += rows.size();
    if (progress_ && !progress_(done_, Total())) return Error{ErrorCode::kCancelled, "loading was cancelled"};
    return Ok();
  }

  uint64_t Total() {
    if (total_ == 0) {
      for (const PackJob& job : jobs_) {
        total_ += static_cast<uint64_t>(job.source.n_rows) * RowBytes(job.matrix->type, static_cast<size_t>(job.matrix->k));
      }
    }
    return total_;
  }

  Error NotFinite(const Tensor& tensor, int64_t row) const {
    return {ErrorCode::kCorrupt, StrCat(checkpoint_.path, ": tensor ", tensor.name, " holds a value that is no finite ",
                                        "number in or after row ", row, "; the file is damaged: download it again")};
  }
  static size_t Align(size_t n) { return (n + 4095) / 4096 * 4096; }

  const Checkpoint& checkpoint_;
  const Config& config_;
  Threads& threads_;
  const LoadProgress& progress_;
  Weights weights_;
  std::vector<PackJob> jobs_;
  size_t size_ = 0;
  uint64_t done_ = 0, total_ = 0;
};

}  // namespace

const Matrix* MatrixOf(const Weights& weights, TensorField field, int i_layer, int i_expert) {
  using enum TensorField;
  if (field == kEmbedding) return &weights.embedding;
  if (field == kHead) return &weights.head;
  if (i_layer < 0) return nullptr;
  const Layer& layer = weights.layers[static_cast<size_t>(i_layer)];
  const auto expert = [&]() -> const SwiGlu& { return layer.moe.experts[static_cast<size_t>(i_expert)]; };
  switch (field) {
    case kConvIn: return &layer.conv.in_proj;
    case kConvOut: return &layer.conv.out_proj;
    case kAttentionQ: return &layer.attention.q;
    case kAttentionK: return &layer.attention.k;
    case kAttentionV: return &layer.attention.v;
    case kAttentionOut: return &layer.attention.out;
    case kFfnGate: return &layer.dense.gate;
    case kFfnUp: return &layer.dense.up;
    case kFfnDown: return &layer.dense.down;
    case kRouter: return &layer.moe.router;
    case kExpertsGate: return &expert().gate;
    case kExpertsUp: return &expert().up;
    case kExpertsDown: return &expert().down;
    default: return nullptr;
  }
}

Result<Weights> LoadWeights(const Checkpoint& checkpoint, const Config& config, Threads& threads, const LoadProgress& progress) {
  return Loader(checkpoint, config, threads, progress).Load();
}

Status PackModel(const Checkpoint& checkpoint, const Config& config, Threads& threads, const std::string& path,
                 const LoadProgress& progress) {
  if (!checkpoint.packed.bytes.empty()) {
    return Error{ErrorCode::kInvalidArgument, StrCat(checkpoint.path, " is packed already")};
  }
  return Loader(checkpoint, config, threads, progress).Write(path);
}

}  // namespace lfm::model
