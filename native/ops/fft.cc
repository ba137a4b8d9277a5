#include "ops/fft.h"

#include <algorithm>
#include <cmath>
#include <list>

#include "plan/arith.h"
#include "runtime/arena.h"
#include "runtime/context.h"
#include "runtime/cpu.h"
#include "runtime/thread_pool.h"
#include "runtime/threads.h"

namespace convmat {
namespace {

// One core's time for a transform, for sharing it out: 5 n log2 n operations at a modest 4 per ns.
double transform_ns(int64_t n) {
  return 1.25 * static_cast<double>(n) * std::log2(static_cast<double>(n) + 1);
}

bool has_small_factors(int64_t n) {
  for (const int64_t f : {2, 3, 5, 7}) {
    while (n % f == 0) n /= f;
  }
  return n == 1;
}

std::vector<int32_t> radices_of(int64_t n) {
  std::vector<int32_t> radices;
  for (const int32_t f : {7, 5, 3}) {
    for (; n % f == 0; n /= f) radices.push_back(f);
  }
  int twos = 0;
  for (; n % 2 == 0; n /= 2) ++twos;
  // Eights, and what is left of the exponent as fours or a two: 16 = 4 * 4 rather than 8 * 2.
  for (; twos >= 3 && twos != 4; twos -= 3) radices.push_back(8);
  for (; twos >= 2; twos -= 2) radices.push_back(4);
  if (twos == 1) radices.push_back(2);
  return radices;
}

// Both parts of `count` points, N times, whose arrays begin at different sets of the caches: rows of one and
// of another at the same distance would evict one another.
template <int N, typename T>
void take_points(ArenaFrame& frame, int64_t count, Points<T> (&points)[N]) {
  constexpr int64_t kLine = ColumnFft<T>::kColumns;
  const int64_t step = round_up(count, kLine) + 17 * kLine;
  T* const all = frame.take<T>(2 * N * step);
  for (int i = 0; i < N; ++i) points[i] = {all + 2 * i * step, all + (2 * i + 1) * step};
}

template <typename T>
void copy_rows(ConstRows<T> in, Rows<T> out, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    std::copy_n(in.re + r * in.pitch, columns, out.re + r * out.pitch);
    std::copy_n(in.im + r * in.pitch, columns, out.im + r * out.pitch);
  }
}

template <typename T>
void clear_rows(Rows<T> rows, int64_t count, int64_t columns) {
  for (int64_t r = 0; r < count; ++r) {
    std::fill_n(rows.re + r * rows.pitch, columns, T{0});
    std::fill_n(rows.im + r * rows.pitch, columns, T{0});
  }
}

template <typename T>
Rows<T> at_column(Rows<T> rows, int64_t column) {
  return {rows.re + column, rows.im + column, rows.pitch};
}

template <typename T>
ConstRows<T> as_const(Rows<T> rows) {
  return {rows.re, rows.im, rows.pitch};
}

}  // namespace

// Folded into the first eighth of a turn, where sine and cosine are accurate.
Root root_of_unity(int64_t j, int64_t n) {
  constexpr double kPi = 3.14159265358979323846;
  j %= n;
  const int64_t eighths = 8 * j / n;
  const int64_t quarter = (eighths + 1) / 2;  // the nearest quarter turn, 0 .. 4
  const double angle = kPi * static_cast<double>(4 * j - quarter * n) / (2.0 * static_cast<double>(n));
  const double c = std::cos(angle), s = std::sin(angle);
  switch (quarter % 4) {
    case 0:
      return {c, -s};
    case 1:
      return {-s, -c};
    case 2:
      return {-c, s};
    default:
      return {s, c};
  }
}

template <typename T>
ColumnFft<T>::ColumnFft(int64_t n) : n_(n) {
  int64_t done = 1;
  for (const int32_t radix : radices_of(n)) {
    const int64_t length = n / done, rest = length / radix;
    Pass pass{radix, rest, done, static_cast<int64_t>(factors_.size()), 0};
    for (int64_t p = 0; p < rest; ++p) {
      for (int64_t k = 1; k < radix; ++k) {
        const Root w = root_of_unity(p * k, length);
        factors_.push_back(static_cast<T>(w.re));
        factors_.push_back(static_cast<T>(w.im));
      }
    }
    pass.roots = static_cast<int64_t>(factors_.size());
    for (int64_t j = 0; j < radix; ++j) {
      const Root w = root_of_unity(j, radix);
      factors_.push_back(static_cast<T>(w.re));
      factors_.push_back(static_cast<T>(-w.im));
    }
    passes_.push_back(pass);
    done *= radix;
  }
}

template <typename T>
void ColumnFft<T>::run(const KernelTable& kernels, ConstRows<T> in, Rows<T> out, int64_t columns, T scale,
                       T* scratch) const {
  if (passes_.empty()) {
    for (int64_t c = 0; c < columns; ++c) {
      out.re[c] = in.re[c] * scale;
      out.im[c] = in.im[c] * scale;
    }
    return;
  }
  const int64_t plane = plane_size(columns);
  const Rows<T> buffers[2] = {{scratch, scratch + plane, columns},
                              {scratch + 2 * plane, scratch + 3 * plane, columns}};
  ConstRows<T> from = in;
  for (size_t i = 0; i < passes_.size(); ++i) {
    const Pass& pass = passes_[i];
    const Rows<T> to = i + 1 == passes_.size() ? out : buffers[i % 2];
    kernels.of<T>().fft_pass({pass.radix, pass.rest, pass.done, columns, from.re, from.im, from.pitch, to.re,
                              to.im, to.pitch, factors_.data() + pass.twiddles, factors_.data() + pass.roots,
                              scale});
    from = as_const(to);
  }
}

namespace {

// n = n1 * n2 with X[k1 + n1 k2] = sum over j2 of W(n2)^(j2 k2) W(n)^(j2 k1) sum over j1 of W(n1)^(j1 k1)
// x[j1 n2 + j2].
template <typename T>
class TwoRoundFft final : public Fft<T> {
 public:
  TwoRoundFft(int64_t n, int64_t n1) : Fft<T>(n), first_(n1), second_(n / n1) {
    // Twiddles W(n)^(j2 k1) are products: of one for the strip's first column, and one for the column within
    // it.
    const int64_t n2 = n / n1;
    width_ = strip_width(n1, n2);
    lane_re_.reserve(n1 * width_);
    lane_im_.reserve(n1 * width_);
    for (int64_t k1 = 0; k1 < n1; ++k1) {
      for (int64_t lane = 0; lane < width_; ++lane) {
        const Root w = root_of_unity(k1 * lane, n);
        lane_re_.push_back(static_cast<T>(w.re));
        lane_im_.push_back(static_cast<T>(w.im));
      }
    }
    for (int64_t j2 = 0; j2 < n2; j2 += width_) {
      for (int64_t k1 = 0; k1 < n1; ++k1) {
        const Root w = root_of_unity(k1 * j2, n);
        base_.push_back(static_cast<T>(w.re));
        base_.push_back(static_cast<T>(w.im));
      }
    }
  }

  void run(const KernelTable& kernels, Points<const T> in, Points<T> out, T scale) const override {
    const int64_t n1 = first_.size(), n2 = second_.size();
    const double round_ns = transform_ns(this->size()) / 2;
    const ConstRows<T> x = {in.re, in.im, n2};
    const Rows<T> y = {out.re, out.im, n1};
    // y[j2][k1] <-- x[j1][j2]
    parallel_for(ceil_div(n2, width_), round_ns, [&](int64_t strip) {
      ArenaFrame frame;
      const int64_t j2 = strip * width_, columns = std::min(width_, n2 - j2);
      const Rows<T> strip_rows = take_strip(frame, first_, width_);
      T* const scratch = frame.take<T>(first_.scratch_size(width_));
      ConstRows<T> from = at_column(x, j2);
      if (columns < width_) {
        clear_rows(strip_rows, n1, width_);
        copy_rows(from, strip_rows, n1, columns);
        from = as_const(strip_rows);
      }
      first_.run(kernels, from, strip_rows, width_, T{1}, scratch);
      kernels.of<T>().fft_twist({n1, columns, strip_rows.re, strip_rows.im, width_, lane_re_.data(),
                                 lane_im_.data(), width_, base_.data() + 2 * n1 * strip, y.re + j2 * n1,
                                 y.im + j2 * n1, n1});
    });
    // y[k2][k1] <-- y[j2][k1], strip by strip in place
    const int64_t width = strip_width(n2, n1);
    parallel_for(ceil_div(n1, width), round_ns, [&](int64_t strip) {
      ArenaFrame frame;
      const int64_t k1 = strip * width, columns = std::min(width, n1 - k1);
      T* const scratch = frame.take<T>(second_.scratch_size(width));
      const Rows<T> rows = at_column(y, k1);
      if (columns == width) return second_.run(kernels, as_const(rows), rows, width, scale, scratch);
      const Rows<T> strip_rows = take_strip(frame, second_, width);
      clear_rows(strip_rows, n2, width);
      copy_rows(as_const(rows), strip_rows, n2, columns);
      second_.run(kernels, as_const(strip_rows), strip_rows, width, scale, scratch);
      copy_rows(as_const(strip_rows), rows, n2, columns);
    });
  }

  size_t bytes() const override { return (lane_re_.size() * 2 + base_.size()) * sizeof(T); }

 private:
  // Four cache lines, which a prefetcher fetches together, while data and scratch stay in half a second-level
  // cache; no more than there are columns.
  static int64_t strip_width(int64_t rows, int64_t columns) {
    constexpr int64_t kCacheBytes = 1 << 20, kLine = ColumnFft<T>::kColumns;
    int64_t width = 4 * kLine;
    while (width > kLine && 6 * width * rows * static_cast<int64_t>(sizeof(T)) > kCacheBytes) width /= 2;
    return std::min(width, round_up(columns, kLine));
  }

  static Rows<T> take_strip(ArenaFrame& frame, const ColumnFft<T>& fft, int64_t width) {
    const int64_t plane = fft.plane_size(width);
    T* const buffer = frame.take<T>(2 * plane);
    return {buffer, buffer + plane, width};
  }

  ColumnFft<T> first_, second_;
  int64_t width_;
  std::vector<T> lane_re_, lane_im_;  // W(n)^(k1 lane), [k1][lane]
  std::vector<T> base_;               // W(n)^(k1 j2) for the first j2 of each strip, [strip][k1][re, im]
};

// jk = (j^2 + k^2 - (k - j)^2) / 2 makes the transform a convolution with a chirp, W(2n)^(-j^2).
template <typename T>
class ChirpFft final : public Fft<T> {
 public:
  explicit ChirpFft(int64_t n) : Fft<T>(n), inner_(Fft<T>::of(inner_size(n))) {
    const int64_t size = inner_->size();
    std::vector<T> mirrored_re(size), mirrored_im(size);
    int64_t square = 0;  // j^2 mod 2n
    for (int64_t j = 0; j < n; ++j) {
      const Root w = root_of_unity(square, 2 * n);
      chirp_re_.push_back(static_cast<T>(w.re));
      chirp_im_.push_back(static_cast<T>(w.im));
      mirrored_re[j] = mirrored_re[(size - j) % size] = static_cast<T>(w.re);
      mirrored_im[j] = mirrored_im[(size - j) % size] = static_cast<T>(-w.im);
      square = (square + 2 * j + 1) % (2 * n);
    }
    spectrum_re_.resize(size);
    spectrum_im_.resize(size);
    const T scale = static_cast<T>(1.0 / static_cast<double>(size));
    inner_->run(best_kernels(), {mirrored_re.data(), mirrored_im.data()},
                {spectrum_re_.data(), spectrum_im_.data()}, scale);
  }

  void run(const KernelTable& kernels, Points<const T> in, Points<T> out, T scale) const override {
    const int64_t n = this->size(), size = inner_->size();
    ArenaFrame frame;
    Points<T> taken[2];
    take_points(frame, size, taken);
    const auto [a, b] = taken;
    for (int64_t j = 0; j < n; ++j) {
      a.re[j] = in.re[j] * chirp_re_[j] - in.im[j] * chirp_im_[j];
      a.im[j] = in.re[j] * chirp_im_[j] + in.im[j] * chirp_re_[j];
    }
    std::fill(a.re + n, a.re + size, T{0});
    std::fill(a.im + n, a.im + size, T{0});
    inner_->run(kernels, {a.re, a.im}, b, T{1});
    for (int64_t k = 0; k < size; ++k) {
      const T re = b.re[k] * spectrum_re_[k] - b.im[k] * spectrum_im_[k];
      b.im[k] = b.re[k] * spectrum_im_[k] + b.im[k] * spectrum_re_[k];
      b.re[k] = re;
    }
    inner_->run(kernels, {b.im, b.re}, {a.im, a.re}, scale);
    for (int64_t k = 0; k < n; ++k) {
      out.re[k] = a.re[k] * chirp_re_[k] - a.im[k] * chirp_im_[k];
      out.im[k] = a.re[k] * chirp_im_[k] + a.im[k] * chirp_re_[k];
    }
  }

  size_t bytes() const override { return 2 * (chirp_re_.size() + spectrum_re_.size()) * sizeof(T); }

 private:
  // The least product of a power of two and at most one of 3 and 5 that holds 2n - 1 points.
  static int64_t inner_size(int64_t n) {
    int64_t best = 0;
    for (const int64_t odd : {1, 3, 5}) {
      int64_t size = odd;
      while (size < 2 * n - 1) size *= 2;
      if (best == 0 || size < best) best = size;
    }
    return best;
  }

  std::shared_ptr<const Fft<T>> inner_;
  std::vector<T> chirp_re_, chirp_im_;
  std::vector<T> spectrum_re_, spectrum_im_;  // of the chirp's conjugate, over the inner size
};

// The divisor of n nearest its square root from above, of those that fill whole strips where there are any.
int64_t split(int64_t n, int64_t columns) {
  int64_t best = n;
  bool best_is_whole = false;
  for (int64_t n2 = 1; n2 * n2 <= n; ++n2) {
    if (n % n2 != 0) continue;
    const bool whole = n2 % columns == 0 && (n / n2) % columns == 0;
    if (whole || !best_is_whole) {
      best = n / n2;
      best_is_whole = whole;
    }
  }
  return best;
}

// The most recently used plans, newest first.
template <typename Plan>
class Cache {
 public:
  std::shared_ptr<const Plan> find(int64_t n) {
    const Lock lock(mutex_);
    for (auto it = plans_.begin(); it != plans_.end(); ++it) {
      if ((*it)->size() != n) continue;
      plans_.splice(plans_.begin(), plans_, it);
      return plans_.front();
    }
    return nullptr;
  }

  std::shared_ptr<const Plan> keep(std::shared_ptr<const Plan> plan) {
    const Lock lock(mutex_);
    plans_.push_front(plan);  // first, since it may throw
    bytes_ += plan->bytes();
    while (plans_.size() > 1 && (bytes_ > kBytes || plans_.size() > kPlans)) {
      bytes_ -= plans_.back()->bytes();
      plans_.pop_back();
    }
    return plan;
  }

 private:
  static constexpr size_t kBytes = size_t{16} << 20, kPlans = 64;
  Mutex mutex_;
  std::list<std::shared_ptr<const Plan>> plans_;
  size_t bytes_ = 0;
};

// Never destroyed: a thread may still transform while the process ends.
template <typename Plan>
Cache<Plan>& cache_of() {
  static Cache<Plan>& cache = *new Cache<Plan>;
  return cache;
}

}  // namespace

template <typename T>
std::shared_ptr<const Fft<T>> Fft<T>::of(int64_t n) {
  if (auto known = cache_of<Fft>().find(n)) return known;
  if (has_small_factors(n)) {
    return cache_of<Fft>().keep(std::make_shared<TwoRoundFft<T>>(n, split(n, ColumnFft<T>::kColumns)));
  }
  return cache_of<Fft>().keep(std::make_shared<ChirpFft<T>>(n));
}

template <typename T>
std::shared_ptr<const RealFft<T>> RealFft<T>::of(int64_t n) {
  if (auto known = cache_of<RealFft>().find(n)) return known;
  return cache_of<RealFft>().keep(std::shared_ptr<const RealFft>(new RealFft(n)));
}

template <typename T>
RealFft<T>::RealFft(int64_t n) : n_(n), inner_(Fft<T>::of(n % 2 == 0 ? n / 2 : n)) {
  if (n % 2 != 0) return;
  for (int64_t k = 0; k < n / 2; ++k) {
    const Root w = root_of_unity(k, n);
    turn_re_.push_back(static_cast<T>(w.re));
    turn_im_.push_back(static_cast<T>(w.im));
  }
}

template <typename T>
void RealFft<T>::run(const KernelTable& kernels, const T* in, Points<T> out, T scale) const {
  ArenaFrame frame;
  if (n_ % 2 != 0) {
    T* const zeros = frame.take<T>(n_);
    std::fill_n(zeros, n_, T{0});
    return inner_->run(kernels, {in, zeros}, out, scale);
  }
  // x[j] = in[2j] + i in[2j + 1]: the spectra of evens and odds come apart by symmetry.
  const int64_t half = n_ / 2;
  Points<T> taken[2];
  take_points(frame, half, taken);
  const auto [x, z] = taken;
  for (int64_t j = 0; j < half; ++j) {
    x.re[j] = in[2 * j];
    x.im[j] = in[2 * j + 1];
  }
  inner_->run(kernels, {x.re, x.im}, z, scale);
  out.re[0] = z.re[0] + z.im[0];
  out.re[half] = z.re[0] - z.im[0];
  out.im[0] = out.im[half] = T{0};
  for (int64_t k = 1, mirror = half - 1; k < half; ++k, --mirror) {
    const T even_re = (z.re[k] + z.re[mirror]) / 2, even_im = (z.im[k] - z.im[mirror]) / 2;
    const T odd_re = (z.im[k] + z.im[mirror]) / 2, odd_im = (z.re[mirror] - z.re[k]) / 2;
    const T re = even_re + (odd_re * turn_re_[k] - odd_im * turn_im_[k]);
    const T im = even_im + (odd_re * turn_im_[k] + odd_im * turn_re_[k]);
    out.re[k] = out.re[n_ - k] = re;
    out.im[k] = im;
    out.im[n_ - k] = -im;
  }
}

namespace {

// to[i] <-- from[first + i], zeros outside [0, size)
template <typename T>
void copy_window(const T* from, int64_t size, int64_t first, T* to, int64_t count) {
  const int64_t begin = std::clamp<int64_t>(-first, 0, count),
                end = std::clamp<int64_t>(size - first, begin, count);
  std::fill(to, to + begin, T{0});
  std::copy(from + (first + begin), from + (first + end), to + begin);
  std::fill(to + end, to + count, T{0});
}

// x <-- x times `by`, point by point.
template <typename T>
void multiply_points(Points<T> x, Points<const T> by, int64_t count) {
  for (int64_t k = 0; k < count; ++k) {
    const T re = x.re[k] * by.re[k] - x.im[k] * by.im[k];
    x.im[k] = x.re[k] * by.im[k] + x.im[k] * by.re[k];
    x.re[k] = re;
  }
}

}  // namespace

template <typename T>
void fft_convolve(const Context& context, const T* signal, int64_t signal_size, const T* kernel,
                  int64_t kernel_size, int64_t block, int64_t start, T* out, int64_t out_size) {
  const KernelTable& kernels = *context.kernels;
  const std::shared_ptr<const Fft<T>> fft = Fft<T>::of(block);
  ArenaFrame frame;
  Points<T> taken_spectrum[1];
  take_points(frame, block, taken_spectrum);
  const Points<T> spectrum = taken_spectrum[0];
  {
    ArenaFrame inner;
    T* const padded = inner.take<T>(block);
    copy_window(kernel, kernel_size, 0, padded, block);
    RealFft<T>::of(block)->run(kernels, padded, spectrum, T{1});
  }
  // The first kernel_size - 1 points of a block wrap around; `step` of them are right.
  const int64_t overlap = kernel_size - 1, step = block - overlap;
  const int64_t blocks = ceil_div(out_size, step), pairs = (blocks + 1) / 2;
  const T scale = static_cast<T>(1.0 / static_cast<double>(block));
  parallel_for(pairs, 2 * static_cast<double>(pairs) * transform_ns(block), [&](int64_t pair) {
    ArenaFrame own;
    Points<T> taken[2];
    take_points(own, block, taken);
    const auto [x, y] = taken;
    const int64_t first = 2 * pair * step, second = first + step;
    copy_window(signal, signal_size, start + first - overlap, x.re, block);
    copy_window(signal, signal_size, start + second - overlap, x.im, block);
    // The kernel is real, so both parts are convolved with it and stay apart.
    fft->run(kernels, {x.re, x.im}, y, T{1});
    multiply_points<T>(y, {spectrum.re, spectrum.im}, block);
    fft->run(kernels, {y.im, y.re}, {x.im, x.re}, scale);
    std::copy_n(x.re + overlap, std::min(step, out_size - first), out + first);
    if (second < out_size) std::copy_n(x.im + overlap, std::min(step, out_size - second), out + second);
  });
}

template <typename T>
void fft_convolve_complex(const Context& context, Points<const T> signal, int64_t signal_size,
                          Points<const T> kernel, int64_t kernel_size, int64_t block, int64_t start,
                          Points<T> out, int64_t out_size) {
  const KernelTable& kernels = *context.kernels;
  const std::shared_ptr<const Fft<T>> fft = Fft<T>::of(block);
  ArenaFrame frame;
  Points<T> taken_spectrum[1];
  take_points(frame, block, taken_spectrum);
  const Points<T> spectrum = taken_spectrum[0];
  {
    ArenaFrame inner;
    Points<T> padded[1];
    take_points(inner, block, padded);
    copy_window(kernel.re, kernel_size, 0, padded[0].re, block);
    copy_window(kernel.im, kernel_size, 0, padded[0].im, block);
    fft->run(kernels, {padded[0].re, padded[0].im}, spectrum, T{1});
  }
  // A block that holds the whole convolution begins where the signal does, and nothing wraps around in it.
  const bool is_whole = block >= signal_size + kernel_size - 1 && start + out_size <= block;
  const int64_t overlap = is_whole ? start : kernel_size - 1, step = block - overlap,
                blocks = ceil_div(out_size, step);
  const T scale = static_cast<T>(1.0 / static_cast<double>(block));
  parallel_for(blocks, 2 * static_cast<double>(blocks) * transform_ns(block), [&](int64_t i) {
    ArenaFrame own;
    Points<T> taken[2];
    take_points(own, block, taken);
    const auto [x, y] = taken;
    const int64_t first = i * step, count = std::min(step, out_size - first);
    copy_window(signal.re, signal_size, start + first - overlap, x.re, block);
    copy_window(signal.im, signal_size, start + first - overlap, x.im, block);
    fft->run(kernels, {x.re, x.im}, y, T{1});
    multiply_points<T>(y, {spectrum.re, spectrum.im}, block);
    fft->run(kernels, {y.im, y.re}, {x.im, x.re}, scale);
    std::copy_n(x.re + overlap, count, out.re + first);
    std::copy_n(x.im + overlap, count, out.im + first);
  });
}

template class ColumnFft<float>;
template class ColumnFft<double>;
template class Fft<float>;
template class Fft<double>;
template class RealFft<float>;
template class RealFft<double>;
template void fft_convolve(const Context&, const float*, int64_t, const float*, int64_t, int64_t, int64_t,
                           float*, int64_t);
template void fft_convolve(const Context&, const double*, int64_t, const double*, int64_t, int64_t, int64_t,
                           double*, int64_t);
template void fft_convolve_complex(const Context&, Points<const float>, int64_t, Points<const float>, int64_t,
                                   int64_t, int64_t, Points<float>, int64_t);
template void fft_convolve_complex(const Context&, Points<const double>, int64_t, Points<const double>,
                                   int64_t, int64_t, int64_t, Points<double>, int64_t);

}  // namespace convmat
