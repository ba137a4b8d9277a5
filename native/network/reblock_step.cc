// Between values that lie plane by plane and those whose channels lie in blocks of a vector's lanes.
#include <algorithm>

#include "network/blocks.h"
#include "network/step.h"
#include "plan/arith.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

constexpr double kNsPerElement = 0.3;
// Pixels of a chunk of work.
constexpr int64_t kChunkPixels = 1 << 10;

class ReblockStep final : public Step {
 public:
  explicit ReblockStep(StepSource& source) : lanes_(lanes_of(source.kernels)) {
    Words& words = source.words;
    to_blocks_ = words.next_flag();
    images_ = words.next_integer(0);
    channels_ = words.next_integer(0);
    pixels_ = words.next_integer(0);
    const int64_t plain = checked_product({images_, channels_, pixels_});
    const int64_t blocked = blocked_length(images_, channels_, pixels_, lanes_);
    input_ = source.store.input(words, to_blocks_ ? plain : blocked);
    output_ = source.store.output(words, to_blocks_ ? blocked : plain);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const float* const x = store.resolve<float>(input_, memory);
    float* const y = store.resolve_output<float>(output_, memory);
    const Kernels<float>& kernels = context.kernels->f32;
    const int64_t blocks = ceil_div(channels_, lanes_), chunks = ceil_div(pixels_, kChunkPixels);
    const double cost = kNsPerElement * static_cast<double>(images_ * blocks * lanes_ * pixels_);
    parallel_for(images_ * blocks * chunks, cost, [&](int64_t i) {
      if (context.is_cancelled()) return;
      const int64_t first = i % chunks * kChunkPixels, count = std::min(kChunkPixels, pixels_ - first);
      const int64_t block = i / chunks % blocks, image = i / chunks / blocks;
      const int64_t channels = std::min(lanes_, channels_ - block * lanes_);
      const int64_t plain = (image * channels_ + block * lanes_) * pixels_ + first;
      const int64_t blocked = ((image * blocks + block) * pixels_ + first) * lanes_;
      if (!to_blocks_) {
        kernels.unlane_rows(static_cast<int>(channels), count, x + blocked, y + plain, pixels_);
        return;
      }
      float* const to = y + blocked;
      kernels.transpose(channels, count, x + plain, pixels_, to, lanes_);
      for (int64_t p = 0; p < count && channels < lanes_; ++p)
        std::fill(to + p * lanes_ + channels, to + (p + 1) * lanes_, 0.0f);
    });
  }

 private:
  const int64_t lanes_;
  bool to_blocks_;
  int64_t images_, channels_, pixels_;
  Operand input_, output_;
};

}  // namespace

std::unique_ptr<Step> read_reblock_step(StepSource& source) { return std::make_unique<ReblockStep>(source); }

}  // namespace convmat
