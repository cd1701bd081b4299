#include "engine/either_mask.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace lfm::engine {
namespace {

class EitherMask final : public TokenMask {
 public:
  EitherMask(std::unique_ptr<TokenMask> a, std::unique_ptr<TokenMask> b) : a_(std::move(a)), b_(std::move(b)) {}

  Status Allowed(std::span<uint32_t> bits) override {
    if (!a_ || !b_) return (a_ ? a_ : b_)->Allowed(bits);
    LFM_RETURN_IF_ERROR(a_->Allowed(bits));
    std::vector<uint32_t> other(bits.size());
    LFM_RETURN_IF_ERROR(b_->Allowed(other));
    std::transform(bits.begin(), bits.end(), other.begin(), bits.begin(), [](uint32_t x, uint32_t y) { return x | y; });
    return {};
  }
  Status Accept(int32_t id) override {
    if (a_ && !a_->Accept(id).ok()) a_.reset();
    if (b_ && !b_->Accept(id).ok()) b_.reset();
    if (!a_ && !b_) return Error{ErrorCode::kInvalidArgument, StrCat("token ", id, " is not allowed here")};
    return {};
  }
  std::vector<int32_t> Forced() override { return a_ && b_ ? std::vector<int32_t>() : (a_ ? a_ : b_)->Forced(); }
  std::optional<std::vector<int32_t>> Ending(size_t max) override {
    auto a = a_ ? a_->Ending(max) : std::nullopt, b = b_ ? b_->Ending(max) : std::nullopt;
    if (!a || !b) return a ? a : b;
    return a->size() <= b->size() ? a : b;
  }
  std::unique_ptr<TokenMask> Fork() const override {
    return std::make_unique<EitherMask>(a_ ? a_->Fork() : nullptr, b_ ? b_->Fork() : nullptr);
  }

 private:
  std::unique_ptr<TokenMask> a_, b_;  // null: forbidden by what was chosen; never both
};

}  // namespace

std::shared_ptr<const TokenMask> MakeEitherMask(const TokenMask& a, const TokenMask& b) {
  return std::make_shared<const EitherMask>(a.Fork(), b.Fork());
}

}  // namespace lfm::engine
