// Bytes that stand for real numbers: made from floats, made to floats, added, and averaged.
#include <algorithm>
#include <cmath>
#include <vector>

#include "network/step.h"
#include "plan/arith.h"
#include "runtime/thread_pool.h"
#include "table/table.h"

namespace convmat {
namespace {

constexpr double kNsPerElement = 0.1;
constexpr int64_t kChunkElements = 16 << 10;

DType next_byte_type(Words& words) {
  const DType dtype = words.next_of(DType::u32);
  if (dtype != DType::i8 && dtype != DType::u8) throw Refusal("network: expected int8 or uint8");
  return dtype;
}
// What brings bytes into the order of uint8; zero points are larger by as much there.
uint8_t flip_of(DType dtype) { return dtype == DType::i8 ? 0x80 : 0; }

int64_t next_zero_point(Words& words, DType dtype) {
  return dtype == DType::i8 ? words.next_integer(-128, 127) : words.next_integer(0, 255);
}

// body(first, count) for parts of [0, count).
template <class Body>
void share_out(const Context& context, int64_t count, Body&& body) {
  const double cost = kNsPerElement * static_cast<double>(count);
  parallel_for(ceil_div(count, kChunkElements), cost, [&](int64_t chunk) {
    if (context.is_cancelled()) return;
    const int64_t first = chunk * kChunkElements;
    body(first, std::min(kChunkElements, count - first));
  });
}

// Between floats and bytes of [outer][count][inner], each of `count` with a scale and a zero point of its
// own.
class ScaleStep : public Step {
 public:
  explicit ScaleStep(StepSource& source) {
    Words& words = source.words;
    dtype_ = next_byte_type(words);
    const int64_t outer = words.next_integer(0);
    const int64_t count = words.next_integer(1);
    inner_ = words.next_integer(0);
    length_ = checked_product({outer, count, inner_});
    const Store& store = source.store;
    const auto* const scales =
        static_cast<const float*>(store.constant(store.constant_index(words), DType::f32, count));
    const auto* const zeros =
        static_cast<const int32_t*>(store.constant(store.constant_index(words), DType::i32, count));
    scales_.assign(scales, scales + count);
    for (int64_t i = 0; i < count; ++i) {
      if (zeros[i] < -128 || zeros[i] > 255) throw Refusal("network: expected zero points of bytes");
      zeros_.push_back(zeros[i] + flip_of(dtype_));
    }
  }

  size_t bytes() const override { return sizeof(*this) + scales_.size() * (sizeof(float) + sizeof(int32_t)); }

 protected:
  // body(first, count, scale, zero point) for stretches with one scale.
  template <class Body>
  void each_stretch(const Context& context, Body&& body) const {
    share_out(context, length_, [&](int64_t first, int64_t count) {
      const auto scales = static_cast<int64_t>(scales_.size());
      for (const int64_t end = first + count; first < end;) {
        const int64_t row = scales == 1 ? 0 : first / inner_;
        const int64_t stop = scales == 1 ? end : std::min(end, (row + 1) * inner_);
        const auto of = static_cast<size_t>(row % scales);
        body(first, stop - first, scales_[of], zeros_[of]);
        first = stop;
      }
    });
  }

  DType dtype_;
  int64_t inner_, length_;
  std::vector<float> scales_;
  std::vector<int32_t> zeros_;
};

class QuantizeStep final : public ScaleStep {
 public:
  explicit QuantizeStep(StepSource& source)
      : ScaleStep(source),
        input_(source.store.input(source.words, length_)),
        output_(source.store.output(source.words, length_, dtype_)) {}

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const float* const x = store.resolve<float>(input_, memory);
    uint8_t* const y = store.resolve_output<uint8_t>(output_, memory);
    each_stretch(context, [&](int64_t first, int64_t count, float scale, int32_t zero) {
      context.kernels->steps.quantize_row({x + first, count, scale, zero, flip_of(dtype_), y + first});
    });
  }

 private:
  const Operand input_, output_;
};

class DequantizeStep final : public ScaleStep {
 public:
  explicit DequantizeStep(StepSource& source)
      : ScaleStep(source),
        input_(source.store.input(source.words, length_, dtype_)),
        output_(source.store.output(source.words, length_)) {}

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const uint8_t* const x = store.resolve<uint8_t>(input_, memory);
    float* const y = store.resolve_output<float>(output_, memory);
    each_stretch(context, [&](int64_t first, int64_t count, float scale, int32_t zero) {
      context.kernels->steps.dequantize_row({x + first, count, scale, zero, flip_of(dtype_), y + first});
    });
  }

 private:
  const Operand input_, output_;
};

class QLinearAddStep final : public Step {
 public:
  explicit QLinearAddStep(StepSource& source) {
    Words& words = source.words;
    dtype_ = next_byte_type(words);
    length_ = words.next_integer(0);
    a_scale_ = static_cast<float>(words.next());
    b_scale_ = static_cast<float>(words.next());
    offset_ = static_cast<float>(words.next());
    a_ = source.store.input(words, length_, dtype_);
    b_ = source.store.input(words, length_, dtype_);
    output_ = source.store.output(words, length_, dtype_);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const uint8_t* const a = store.resolve<uint8_t>(a_, memory);
    const uint8_t* const b = store.resolve<uint8_t>(b_, memory);
    uint8_t* const y = store.resolve_output<uint8_t>(output_, memory);
    share_out(context, length_, [&](int64_t first, int64_t count) {
      context.kernels->steps.add_bytes(
          {a + first, b + first, count, a_scale_, b_scale_, offset_, dtype_ == DType::i8, y + first});
    });
  }

 private:
  DType dtype_;
  int64_t length_;
  float a_scale_, b_scale_, offset_;
  Operand a_{}, b_{}, output_{};
};

// y[plane] = saturate(round(sum of (x - zero point) * scale) + zero point), in float.
class QLinearMeanStep final : public Step {
 public:
  explicit QLinearMeanStep(StepSource& source) {
    Words& words = source.words;
    dtype_ = next_byte_type(words);
    output_dtype_ = next_byte_type(words);
    planes_ = words.next_integer(0);
    // Whose sum an int32 holds.
    pixels_ = words.next_integer(1, 1 << 23);
    scale_ = static_cast<float>(words.next());
    zero_ = next_zero_point(words, dtype_);
    output_zero_ = next_zero_point(words, output_dtype_);
    input_ = source.store.input(words, checked_product({planes_, pixels_}), dtype_);
    output_ = source.store.output(words, planes_, output_dtype_);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const uint8_t* const x = store.resolve<uint8_t>(input_, memory);
    uint8_t* const y = store.resolve_output<uint8_t>(output_, memory);
    const bool is_signed = output_dtype_ == DType::i8;
    const float least = is_signed ? -128 : 0, most = is_signed ? 127 : 255;
    const auto zero = static_cast<float>(output_zero_);
    const double cost = kNsPerElement * static_cast<double>(planes_) * static_cast<double>(pixels_);
    const int64_t each = std::max<int64_t>(1, kChunkElements / pixels_);
    parallel_for(ceil_div(planes_, each), cost, [&](int64_t chunk) {
      if (context.is_cancelled()) return;
      for (int64_t p = chunk * each; p < std::min(planes_, (chunk + 1) * each); ++p) {
        const uint8_t* const plane = x + p * pixels_;
        int32_t sum = 0;
        for (int64_t i = 0; i < pixels_; ++i) sum += plane[i] ^ flip_of(dtype_);
        sum -= static_cast<int32_t>((zero_ + flip_of(dtype_)) * pixels_);
        const float value = std::nearbyint(static_cast<float>(sum) * scale_) + zero;
        y[p] = static_cast<uint8_t>(static_cast<int32_t>(std::min(std::max(value, least), most)));
      }
    });
  }

 private:
  DType dtype_, output_dtype_;
  int64_t planes_, pixels_, zero_, output_zero_;
  float scale_;
  Operand input_{}, output_{};
};

}  // namespace

std::unique_ptr<Step> read_quantize_step(StepSource& source) {
  return std::make_unique<QuantizeStep>(source);
}
std::unique_ptr<Step> read_dequantize_step(StepSource& source) {
  return std::make_unique<DequantizeStep>(source);
}
std::unique_ptr<Step> read_qlinear_add_step(StepSource& source) {
  return std::make_unique<QLinearAddStep>(source);
}
std::unique_ptr<Step> read_qlinear_mean_step(StepSource& source) {
  return std::make_unique<QLinearMeanStep>(source);
}

}  // namespace convmat
