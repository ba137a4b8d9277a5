#include "network/network.h"

#include <chrono>
#include <utility>

#include "table/program.h"

namespace convmat {

#define CONVMAT_NAME(value, name) name,
const std::vector<Enumeration> kNetworkEnumerations = {{"home", {CONVMAT_HOMES(CONVMAT_NAME)}},
                                                       {"step", {CONVMAT_STEP_KINDS(CONVMAT_NAME)}},
                                                       {"reduction", {CONVMAT_REDUCTIONS(CONVMAT_NAME)}},
                                                       {"programOp", {CONVMAT_PROGRAM_OPS(CONVMAT_NAME)}}};
#undef CONVMAT_NAME

namespace {

ReadStep* reader_of(StepKind kind) {
  switch (kind) {
    case StepKind::conv:
      return read_conv_step;
    case StepKind::max_pool:
      return read_max_pool_step;
    case StepKind::average_pool:
      return read_average_pool_step;
    case StepKind::program:
      return read_program_step;
    case StepKind::copy:
      return read_copy_step;
    case StepKind::fill:
      return read_fill_step;
    case StepKind::reduce:
      return read_reduce_step;
    case StepKind::softmax:
      return read_softmax_step;
    case StepKind::normalise:
      return read_normalise_step;
    case StepKind::response_normalise:
      return read_response_normalise_step;
    case StepKind::resample:
      return read_resample_step;
    case StepKind::matmul:
      return read_matmul_step;
    case StepKind::gather:
      return read_gather_step;
    case StepKind::reblock:
      return read_reblock_step;
    case StepKind::quantize_linear:
      return read_quantize_step;
    case StepKind::dequantize_linear:
      return read_dequantize_step;
    case StepKind::qlinear_conv:
      return read_qlinear_conv_step;
    case StepKind::qlinear_add:
      return read_qlinear_add_step;
    case StepKind::qlinear_mean:
      return read_qlinear_mean_step;
    case StepKind::row_products:
      return read_row_products_step;
  }
  return nullptr;
}

}  // namespace

Network::Network(const KernelTable& kernels, Words& words, Store store, const Network* similar,
                 const std::atomic<bool>* cancelled)
    : store_(std::move(store)) {
  StepSource source{kernels, words, store_, packed_, similar == nullptr ? nullptr : &similar->packed()};
  const auto is_cancelled = [&] {
    return cancelled != nullptr && cancelled->load(std::memory_order_relaxed);
  };
  while (!words.done() && !is_cancelled()) steps_.push_back(reader_of(words.next_of(kLastStepKind))(source));
  store_.forget_arrays();
}

void Network::run(const Context& context, const Memory& memory, double* times) const {
  using Clock = std::chrono::steady_clock;
  for (const std::unique_ptr<Step>& step : steps_) {
    if (context.is_cancelled()) return;
    if (times == nullptr) {
      step->run(context, store_, memory);
      continue;
    }
    const Clock::time_point begin = Clock::now();
    step->run(context, store_, memory);
    *times++ = std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
  }
}

size_t Network::bytes() const {
  size_t total = sizeof(*this) + store_.kept_bytes();
  for (const std::unique_ptr<Step>& step : steps_) total += step->bytes();
  return total;
}

}  // namespace convmat
