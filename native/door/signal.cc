#include "door/signal.h"

#include "ops/fft.h"
#include "plan/dispatch.h"
#include "runtime/context.h"

namespace convmat::door {
namespace {

// Transforms this long pay for arrays of any length; longer ones only in proportion to the arrays.
constexpr uint64_t kMostBlock = 1 << 16;

template <typename T>
void run_fft(const KernelTable& kernels, int64_t n, const void* re, const void* im, void* out_re,
             void* out_im, double scale) {
  const Points<T> out = {static_cast<T*>(out_re), static_cast<T*>(out_im)};
  const auto factor = static_cast<T>(scale);
  if (im == nullptr) return RealFft<T>::of(n)->run(kernels, static_cast<const T*>(re), out, factor);
  Fft<T>::of(n)->run(kernels, {static_cast<const T*>(re), static_cast<const T*>(im)}, out, factor);
}

template <typename T>
void run_convolve(const KernelTable& kernels, const Array& signal, const Array& kernel, int64_t block,
                  int64_t start, void* out, int64_t out_size) {
  convmat::fft_convolve(Context{&kernels}, static_cast<const T*>(signal.data),
                        static_cast<int64_t>(signal.length), static_cast<const T*>(kernel.data),
                        static_cast<int64_t>(kernel.length), block, start, static_cast<T*>(out), out_size);
}

void check_block(int64_t block, size_t signal, size_t kernel) {
  if (kernel == 0) throw Refusal("kernel: expected at least one element");
  if (static_cast<uint64_t>(block) < kernel)
    throw Refusal("block: expected at least the kernel's length, " + quantity(static_cast<int64_t>(kernel)) +
                  ", got " + quantity(block));
  if (static_cast<uint64_t>(block) > kMostBlock + 4 * (static_cast<uint64_t>(signal) + kernel)) {
    throw Refusal("block: expected a size that the arrays can use, got " + quantity(block));
  }
}

}  // namespace

void fft(const Call& call) {
  const Array re = read_array(call[0], "re");
  const DType dtype = float_dtype_of(re, "re");
  const auto n = static_cast<int64_t>(re.length);
  if (n == 0) throw Refusal("re: expected at least one point");
  const void* const im = read_optional_elements(call[1], dtype, n, "im");
  void* const out_re = read_result(call[2], dtype, n, "outRe");
  void* const out_im = read_result(call[3], dtype, n, "outIm");
  const double scale = read_double(call[4], "scale");
  const KernelTable& kernels = kernels_of(call);
  dispatch_float(dtype,
                 [&](auto zero) { run_fft<decltype(zero)>(kernels, n, re.data, im, out_re, out_im, scale); });
}

void fft_convolve(const Call& call) {
  const Array signal = read_array(call[0], "signal");
  const Array kernel = read_array(call[1], "kernel");
  const int64_t block = read_size(call[2], "block");
  const int64_t start = read_size(call[3], "start");
  const Array out = read_array(call[4], "out");
  const DType dtype = float_dtype_of(signal, "signal");
  for (const Array& other : {kernel, out}) {
    const DType got = dtype_of(other, "out");
    if (got != dtype) {
      throw Refusal(std::string("kernel, out: expected the signal's dtype, ") + dtype_name(dtype) + ", got " +
                    dtype_name(got));
    }
  }
  check_block(block, signal.length, kernel.length);
  const KernelTable& kernels = kernels_of(call);
  const auto out_size = static_cast<int64_t>(out.length);
  void* const result = read_result(call[4], dtype, out_size, "out");
  dispatch_float(dtype, [&](auto zero) {
    run_convolve<decltype(zero)>(kernels, signal, kernel, block, start, result, out_size);
  });
}

void fft_convolve_complex(const Call& call) {
  const Array signal = read_array(call[0], "signalRe"), kernel = read_array(call[2], "kernelRe"),
              out = read_array(call[6], "outRe");
  const DType dtype = float_dtype_of(signal, "signalRe");
  const auto signal_size = static_cast<int64_t>(signal.length),
             kernel_size = static_cast<int64_t>(kernel.length), out_size = static_cast<int64_t>(out.length);
  const void* const signal_im = read_elements(call[1], dtype, signal_size, "signalIm");
  const void* const kernel_re = read_elements(call[2], dtype, kernel_size, "kernelRe");
  const void* const kernel_im = read_elements(call[3], dtype, kernel_size, "kernelIm");
  const int64_t block = read_size(call[4], "block"), start = read_size(call[5], "start");
  void* const out_re = read_result(call[6], dtype, out_size, "outRe");
  void* const out_im = read_result(call[7], dtype, out_size, "outIm");
  check_block(block, signal.length, kernel.length);
  const KernelTable& kernels = kernels_of(call);
  dispatch_float(dtype, [&](auto zero) {
    using T = decltype(zero);
    convmat::fft_convolve_complex<T>(
        Context{&kernels}, {static_cast<const T*>(signal.data), static_cast<const T*>(signal_im)},
        signal_size, {static_cast<const T*>(kernel_re), static_cast<const T*>(kernel_im)}, kernel_size, block,
        start, {static_cast<T*>(out_re), static_cast<T*>(out_im)}, out_size);
  });
}

}  // namespace convmat::door
