// Tiles of outputs summed again directly. Algorithms that transform the input mix what lies near an output
// into it: a NaN, an infinity or an overflow then shows in results that do not read it. So they flag the
// tiles in which a sum is not finite, and those tiles come from direct sums.
#pragma once

#include <atomic>
#include <memory>

#include "conv/algorithm.h"
#include "runtime/arena.h"
#include "runtime/held.h"
#include "runtime/threads.h"

namespace convmat {

// Which tiles of rows x columns outputs are to be summed again, in every channel of their image. Threads may
// set flags at the same time.
class TileFlags {
 public:
  TileFlags(ArenaFrame& arena, const ConvPlan& plan, int64_t rows, int64_t columns);
  // By the image and the tile's first output.
  void set(int64_t image, int64_t row, int64_t column) const {
    flags_[(image * down_ + row / rows_) * across_ + column / columns_].store(1, std::memory_order_relaxed);
  }
  bool is_set(int64_t index) const { return flags_[index].load(std::memory_order_relaxed) != 0; }

  struct Place {
    int64_t image, row, column;
  };
  Place place(int64_t index) const {
    return {index / across_ / down_, index / across_ % down_ * rows_, index % across_ * columns_};
  }
  int64_t size() const { return size_; }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }

 private:
  std::atomic<uint8_t>* flags_;  // [image][row of tiles][tile]
  int64_t rows_, columns_, down_, across_, size_;
};

// For forward plans of two dimensions and stride and dilation 1.
template <typename T>
class Resummation {
 public:
  // Holds the weights as they are, and packs them when they are first needed.
  Resummation(const Context& context, const ConvPlan& plan, PackConvFn* pack, const T* weight, const T* bias,
              double lo, double hi);
  size_t bytes() const { return weight_.bytes() + bias_.bytes(); }

  void run(const Context& context, const ConvPlan& plan, const TileFlags& flags, const T* x, T* y) const;

 private:
  std::shared_ptr<const ConvRunner> direct(const Context& context, const ConvPlan& plan) const;
  void run_tile(const Context& context, const ConvPlan& plan, const ConvRunner& direct,
                const TileFlags::Place& place, int64_t rows, int64_t columns, const T* x, T* y) const;

  PackConvFn* const pack_;
  const int64_t weight_size_;
  const Held<T> weight_, bias_;
  const double lo_, hi_;
  mutable Mutex mutex_;  // guards what follows
  mutable std::shared_ptr<const ConvRunner> direct_;
};

}  // namespace convmat
