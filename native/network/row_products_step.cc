// Products of the rows of a constant matrix and a vector, finished by a program. Each weight is read once, so
// the rows stay as they are: what decides is how fast memory gives them.
#include <algorithm>
#include <optional>

#include "network/program.h"
#include "plan/arith.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

constexpr double kNsPerWeight = 0.25;
// Weights of a chunk of work: of tens of microseconds, so that a call can be cancelled.
constexpr int64_t kChunkWeights = 1 << 17;

class RowProductsStep final : public Step {
 public:
  explicit RowProductsStep(StepSource& source) {
    Words& words = source.words;
    packing_.count = words.next_integer(1);
    packing_.n = words.next_integer(1);
    packing_.is_transposed = words.next_flag();
    packing_.weight = source.store.constant_index(words);
    packing_.scale = source.store.constant_index(words, true);
    packing_.bias = source.store.constant_index(words, true);
    if (packing_.scale >= 0 && packing_.is_transposed)
      throw Refusal("network: expected factors for rows that lie one behind the other");
    if (source.similar != nullptr) packed_ = source.similar->rows.find(packing_);
    is_lent_ = packed_ != nullptr;
    if (!is_lent_) packed_ = pack(source);
    source.packed.rows.add(packing_, packed_);
    if (!is_lent_ && packed_->rows.size() == 0) source.store.note_kept(packing_.weight);
    lo_ = static_cast<float>(words.next());
    hi_ = static_cast<float>(words.next());
    input_ = source.store.input(words, packing_.n);
    output_ = source.store.output(words, packing_.count);
    if (words.next_flag()) {
      program_.emplace(source, true);
      if (program_->elements() != packing_.count)
        throw Refusal("network: expected a program for every product of a row");
    }
  }

  size_t bytes() const override {
    // Weights that several networks share count for the first alone.
    const size_t own = is_lent_ ? 0 : packed_->rows.bytes() + packed_->bias.bytes();
    return sizeof(*this) + own + (program_ ? program_->bytes() : 0);
  }

  void run(const Context& context, const Store& store, const Memory& memory) const override {
    const float* const x = store.resolve<float>(input_, memory);
    float* const y = store.resolve_output<float>(output_, memory);
    constexpr int64_t kBytes = sizeof(float);
    const int64_t rows = std::max<int64_t>(1, kChunkWeights / packing_.n / 4) * 4;
    const double cost = kNsPerWeight * static_cast<double>(packing_.count * packing_.n);
    parallel_for(ceil_div(packing_.count, rows), cost, [&](int64_t i) {
      if (context.is_cancelled()) return;
      const int64_t first = i * rows;
      context.kernels->steps.row_products({packed_->data + first * packing_.n * kBytes,
                                           std::min(rows, packing_.count - first), packing_.n, x,
                                           packed_->bias.data() + first, lo_, hi_, y + first});
    });
    if (program_) ProgramEpilogue(*program_, *context.kernels, store, memory, y).run_all(context);
  }

 private:
  std::shared_ptr<const PackedRows> pack(StepSource& source) const {
    const auto [weight, scale, bias, count, n, is_transposed] = packing_;
    const int64_t length = checked_product({count, n});
    const auto* const given = static_cast<const float*>(source.store.constant(bias, DType::f32, count));
    auto packed = std::make_shared<PackedRows>(PackedRows{nullptr, {}, AlignedArray<float>(count)});
    if (!is_transposed && scale < 0 && source.store.constants_last()) {
      packed->data = source.store.stored_weights(weight, length);
    } else {
      packed->rows = AlignedArray<float>(length);
      packed->data = reinterpret_cast<const std::byte*>(packed->rows.data());
      if (is_transposed) {
        source.kernels.f32.transpose(n, count, source.store.weights(weight, scale, length), count,
                                     packed->rows.data(), n);
      } else {
        source.store.copy_weights(weight, scale, length, packed->rows.data());
      }
      source.store.spend(weight);
    }
    if (given == nullptr)
      std::fill_n(packed->bias.data(), count, 0.0f);
    else
      std::copy_n(given, count, packed->bias.data());
    return packed;
  }

  RowPacking packing_{};
  std::shared_ptr<const PackedRows> packed_;
  bool is_lent_ = false;
  float lo_, hi_;
  std::optional<Program> program_;
  Operand input_{}, output_{};
};

}  // namespace

std::unique_ptr<Step> read_row_products_step(StepSource& source) {
  return std::make_unique<RowProductsStep>(source);
}

}  // namespace convmat
