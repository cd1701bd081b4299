// Loading in two passes over the same walk through the model: the first adds up where every matrix will lie, the second
// packs it there. So there is one allocation, and gate and up units of a SwiGLU can alternate.
#include "model/weights.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <unordered_set>

#include "base/strings.h"
#include "formats/packed_file.h"
#include "model/memory_check.h"
#include "model/tensors.h"

namespace lfm::model {
namespace {

using formats::Checkpoint;
using formats::Tensor;
using kernels::kLanes;

// Rows of a stored matrix: a whole tensor, one expert of a stacked one, or a slice of a fused one.
struct Source {
  const Tensor* tensor = nullptr;
  int64_t first_row = 0;  // counted over the tensor flattened to rows
  int64_t rows = 0;
  int64_t k = 0;
};

struct PackJob {
  Source source;
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
        [&](std::span<std::byte> region) { return PackAll(region.data()); }, path);
  }

 private:
  uint64_t NumberOfElements() const {
    uint64_t n = 0;
    for (const PackJob& job : jobs_) n += static_cast<uint64_t>(job.source.rows * job.source.k);
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
    if (!packed.checked) LFM_RETURN_IF_ERROR(formats::CheckPackedWeights(checkpoint_, threads_));
    for (const PackJob& job : jobs_) job.matrix->data = packed.bytes.data() + job.offset;
    weights_.memory = std::make_shared<MappedFile>(checkpoint_.files.front());
    return Ok();
  }

  // Of the places of all matrices (FNV-1a), so that a packed file of another layout is recognised.
  uint64_t Fingerprint() const {
    uint64_t hash = 0xCBF29CE484222325ull;
    for (const PackJob& job : jobs_) {
      for (const uint64_t value :
           {uint64_t{job.offset}, static_cast<uint64_t>(job.source.rows), static_cast<uint64_t>(job.source.k),
            uint64_t{job.matrix->unit_stride}, static_cast<uint64_t>(job.matrix->type)}) {
        hash = (hash ^ value) * 0x100000001B3ull;
      }
    }
    return hash >> 1;  // fits a signed JSON integer
  }

  Status Plan() {
    LFM_TRY(const Source embedding, Rows(TensorField::kEmbedding, -1));
    LFM_RETURN_IF_ERROR(Vector(TensorField::kFinalNorm, -1, weights_.final_norm));
    weights_.layers.resize(config_.layers.size());
    for (int i = 0; i < config_.n_layers; ++i) LFM_RETURN_IF_ERROR(PlanLayer(i));
    Place(embedding, weights_.embedding);
    if (FindTensor(checkpoint_, TensorField::kHead)) {
      LFM_TRY(const Source head, Rows(TensorField::kHead, -1));
      Place(head, weights_.head);
    }
    return Ok();
  }

  Status PlanLayer(int i) {
    Layer& layer = weights_.layers[static_cast<size_t>(i)];
    const LayerConfig& kind = config_.layers[static_cast<size_t>(i)];
    LFM_RETURN_IF_ERROR(Vector(TensorField::kOperatorNorm, i, layer.operator_norm));
    LFM_RETURN_IF_ERROR(Vector(TensorField::kFfnNorm, i, layer.ffn_norm));
    LFM_RETURN_IF_ERROR(kind.mixer == Mixer::kConv ? PlanConv(i, layer.conv) : PlanAttention(i, layer.attention));
    return kind.ffn == Ffn::kMoe ? PlanMoe(i, layer.moe) : PlanDense(i, layer.dense);
  }

  Status PlanConv(int i, ShortConv& conv) {
    LFM_TRY(const Source in, Rows(TensorField::kConvIn, i));
    LFM_TRY(const Source out, Rows(TensorField::kConvOut, i));
    Place(in, conv.in_proj);
    Place(out, conv.out_proj);
    std::vector<float> by_channel;  // [d][taps] on disk
    LFM_RETURN_IF_ERROR(Vector(TensorField::kConvTaps, i, by_channel));
    const auto n_taps = static_cast<size_t>(config_.n_taps), n = static_cast<size_t>(config_.d_model);
    conv.taps.resize(by_channel.size());
    for (size_t c = 0; c < n; ++c) {
      for (size_t j = 0; j < n_taps; ++j) conv.taps[j * n + c] = by_channel[c * n_taps + j];
    }
    return Ok();
  }

  Status PlanAttention(int i, Attention& attention) {
    const int64_t d = config_.d_model, q_rows = int64_t{config_.n_heads} * config_.head_dim;
    const int64_t kv_rows = int64_t{config_.n_kv_heads} * config_.head_dim;
    if (FindTensor(checkpoint_, TensorField::kAttentionQkv, i)) {
      LFM_TRY(Source fused, Rows(TensorField::kAttentionQkv, i));
      Place({fused.tensor, 0, q_rows, d}, attention.q);
      Place({fused.tensor, q_rows, kv_rows, d}, attention.k);
      Place({fused.tensor, q_rows + kv_rows, kv_rows, d}, attention.v);
    } else {
      LFM_TRY(const Source q, Rows(TensorField::kAttentionQ, i));
      LFM_TRY(const Source k, Rows(TensorField::kAttentionK, i));
      LFM_TRY(const Source v, Rows(TensorField::kAttentionV, i));
      Place(q, attention.q);
      Place(k, attention.k);
      Place(v, attention.v);
    }
    LFM_TRY(const Source out, Rows(TensorField::kAttentionOut, i));
    Place(out, attention.out);
    LFM_RETURN_IF_ERROR(Vector(TensorField::kAttentionQNorm, i, attention.q_norm));
    return Vector(TensorField::kAttentionKNorm, i, attention.k_norm);
  }

  Status PlanDense(int i, SwiGlu& ffn) {
    LFM_TRY(const Source gate, Rows(TensorField::kFfnGate, i));
    LFM_TRY(const Source up, Rows(TensorField::kFfnUp, i));
    LFM_TRY(const Source down, Rows(TensorField::kFfnDown, i));
    PlaceSwiGlu(gate, up, down, ffn);
    return Ok();
  }

  Status PlanMoe(int i, Moe& moe) {
    LFM_TRY(const Source router, Rows(TensorField::kRouter, i));
    Place(router, moe.router);
    if (config_.use_expert_bias) {
      LFM_RETURN_IF_ERROR(Vector(TensorField::kExpertBias, i, moe.expert_bias));
    }
    moe.experts.resize(static_cast<size_t>(config_.n_experts));
    for (int e = 0; e < config_.n_experts; ++e) {
      const int64_t d = config_.d_model, f = config_.d_ff_expert;
      LFM_TRY(const Source gate, ExpertRows(TensorField::kExpertsGate, TensorField::kExpertGate, i, e, f, d, 0));
      LFM_TRY(const Source up, ExpertRows(TensorField::kExpertsUp, TensorField::kExpertUp, i, e, f, d, f));
      LFM_TRY(const Source down, ExpertRows(TensorField::kExpertsDown, TensorField::kExpertDown, i, e, d, f, -1));
      PlaceSwiGlu(gate, up, down, moe.experts[static_cast<size_t>(e)]);
    }
    return Ok();
  }

  // A matrix that must be there with exactly the shape of the table.
  Result<Source> Rows(TensorField field, int i_layer, int i_expert = -1) {
    const std::vector<int64_t> shape = ShapeOf(field, config_);
    const int64_t rows = shape[0], k = shape[1];
    const Tensor* tensor = FindTensor(checkpoint_, field, i_layer, i_expert);
    if (!tensor) return MissingTensor(checkpoint_, field, i_layer, i_expert);
    if (tensor->shape != shape) return WrongShape(*tensor, StrCat(rows, " x ", k));
    return Source{tensor, 0, rows, k};
  }

  // Expert e's matrix: its slice of a stacked tensor, its own tensor, or its rows of the fused gate-and-up tensor
  // (from `fused_row` on; -1 where the matrix is never fused).
  Result<Source> ExpertRows(TensorField stacked, TensorField single, int i, int e, int64_t rows, int64_t k, int64_t fused_row) {
    const int64_t n = config_.n_experts;
    if (const Tensor* tensor = FindTensor(checkpoint_, stacked, i)) {
      if (tensor->shape != std::vector<int64_t>{n, rows, k}) {
        return WrongShape(*tensor, StrCat(n, " x ", rows, " x ", k));
      }
      return Source{tensor, e * rows, rows, k};
    }
    if (fused_row >= 0) {
      if (const Tensor* fused = FindTensor(checkpoint_, TensorField::kExpertsGateUp, i)) {
        if (fused->shape != std::vector<int64_t>{n, 2 * rows, k}) {
          return WrongShape(*fused, StrCat(n, " x ", 2 * rows, " x ", k));
        }
        return Source{fused, e * 2 * rows + fused_row, rows, k};
      }
    }
    const bool stacked_only = checkpoint_.naming == formats::Naming::kGguf;
    return stacked_only ? Result<Source>(MissingTensor(checkpoint_, stacked, i)) : Rows(single, i, e);
  }

  // All values of a small tensor, of any type, as f32.
  Status Vector(TensorField field, int i_layer, std::vector<float>& out) {
    int64_t n = 1;
    for (const int64_t dimension : ShapeOf(field, config_)) n *= dimension;
    const Tensor* tensor = FindTensor(checkpoint_, field, i_layer);
    if (!tensor) return MissingTensor(checkpoint_, field, i_layer);
    if (tensor->n_elements() != n || n % InfoOf(tensor->type).block_size != 0) {
      return WrongShape(*tensor, StrCat(n, " values"));
    }
    if (tensor->bytes.size() != tensor->n_bytes()) return MissingTensor(checkpoint_, field, i_layer);
    out.resize(static_cast<size_t>(n));
    kernels::Dequantize(tensor->type, tensor->bytes.data(), n, out.data());
    for (const float value : out) {
      if (!(std::abs(value) <= 3.4e38f)) return NotFinite(*tensor, 0);
    }
    return Ok();
  }

  Matrix Describe(const Source& source) const {
    Matrix matrix;
    matrix.type = source.tensor->type;
    matrix.rows = source.rows;
    matrix.k = source.k;
    matrix.panel_bytes = kernels::PanelBytes(matrix.type, matrix.k);
    matrix.unit_stride = 2 * matrix.panel_bytes;
    return matrix;
  }

  void Place(const Source& source, Matrix& matrix) {
    matrix = Describe(source);
    jobs_.push_back({source, &matrix, size_});
    size_ += Align(static_cast<size_t>(matrix.n_units()) * matrix.unit_stride);
  }

  void PlaceSwiGlu(const Source& gate, const Source& up, const Source& down, SwiGlu& ffn) {
    ffn.gate = Describe(gate);
    ffn.up = Describe(up);
    const size_t stride = ffn.gate.unit_stride + ffn.up.unit_stride;
    jobs_.push_back({gate, &ffn.gate, size_});
    jobs_.push_back({up, &ffn.up, size_ + ffn.gate.unit_stride});
    size_ += Align(static_cast<size_t>(ffn.gate.n_units()) * stride);
    ffn.gate.unit_stride = ffn.up.unit_stride = stride;
    Place(down, ffn.down);
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
        total_ += static_cast<uint64_t>(job.source.rows) * RowBytes(job.source.tensor->type, static_cast<size_t>(job.source.k));
      }
    }
    return total_;
  }

  Error WrongShape(const Tensor& tensor, const std::string& expected) const {
    std::string shape;
    for (const int64_t n : tensor.shape) shape += StrCat(shape.empty() ? "" : " x ", n);
    return {ErrorCode::kCorrupt,
            StrCat(checkpoint_.path, ": tensor ", tensor.name, " has shape ", shape, ", expected ", expected)};
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
