// Slices by constant indices: out[outer][i][inner] = in[outer][indices[i]][inner], of any dtype.
#include <cstring>

#include "network/step.h"
#include "plan/dispatch.h"

namespace convmat {
namespace {

class GatherStep final : public Step {
 public:
  explicit GatherStep(StepSource& source) {
    Words& words = source.words;
    const DType dtype = words.next_of(DType::u32);
    outer_ = words.next_integer(0);
    in_ = words.next_integer(0);
    const int64_t inner = words.next_integer(0);
    const int64_t out = words.next_integer(0);
    const auto* const indices = static_cast<const int32_t*>(
        source.store.constant(source.store.constant_index(words), DType::i32, out));
    indices_.assign(indices, indices + out);
    for (const int32_t index : indices_) {
      if (index < 0 || index >= in_) throw Refusal("network: expected indices inside the axis");
    }
    slice_bytes_ = checked_product({inner, bytes_of(dtype)});
    input_ = source.store.input(words, checked_product({outer_, in_, inner}), dtype);
    output_ = source.store.output(words, checked_product({outer_, out, inner}), dtype);
  }

  size_t bytes() const override { return sizeof(*this) + indices_.size() * sizeof(int32_t); }

  void run(const Context&, const Store& store, const Memory& memory) const override {
    if (slice_bytes_ == 0) return;
    const auto* from = store.resolve<std::byte>(input_, memory);
    auto* to = store.resolve_output<std::byte>(output_, memory);
    for (int64_t o = 0; o < outer_; ++o, from += in_ * slice_bytes_) {
      for (const int32_t index : indices_) {
        std::memcpy(to, from + index * slice_bytes_, static_cast<size_t>(slice_bytes_));
        to += slice_bytes_;
      }
    }
  }

 private:
  int64_t outer_, in_, slice_bytes_;
  std::vector<int32_t> indices_;
  Operand input_, output_;
};

}  // namespace

std::unique_ptr<Step> read_gather_step(StepSource& source) { return std::make_unique<GatherStep>(source); }

}  // namespace convmat
