#include "conv/fft/fft_correlation.h"

#include <algorithm>
#include <limits>

#include "conv/fft/large_tiles.h"
#include "conv/fft/partitioned.h"
#include "plan/serves.h"
#include "runtime/thread_pool.h"

namespace convmat {
namespace {

// A tap and an output that meet at an element.
struct Meeting {
  int64_t tap, out;
};
std::vector<Meeting> meetings(const Correlation& c, const CorrelationAxis& axis, int64_t at) {
  std::vector<Meeting> all;
  const auto read_at = [&](int64_t position) {
    for (int64_t tap = 0; tap < axis.kernel; ++tap) {
      const int64_t out = position + axis.pad_before - tap * axis.dilation;
      if (out >= 0 && out % axis.stride == 0 && out / axis.stride < axis.out)
        all.push_back({tap, out / axis.stride});
    }
  };
  read_at(at * axis.spread);
  if (c.padding_mode == PaddingMode::zeros) return all;
  for (int64_t position = -axis.pad_before; position < 0; ++position) {
    if (source_of(c, axis, position) == at) read_at(position);
  }
  for (int64_t position = axis.in; position < axis.in + axis.pad_after; ++position) {
    if (source_of(c, axis, position) == at) read_at(position);
  }
  return all;
}

}  // namespace

template <typename T>
FftCorrelation<T>::FftCorrelation(const Context& context, const Correlation& c, const T* w, const T* bias,
                                  double lo, double hi)
    : bias_(c.groups * c.written),
      lo_(static_cast<T>(lo)),
      hi_(static_cast<T>(hi)),
      w_(context.ownership, w, c.groups * c.written * c.read * c.taps()) {
  for (int64_t o = 0; o < bias_.size(); ++o) bias_.data()[o] = bias != nullptr ? bias[o] : T{0};
  w_apart_.resize(static_cast<size_t>(c.groups * c.written));
  for (int64_t i = 0; i < c.groups * c.written * c.read; ++i) collect_apart(c, i, w + c.plane_of_w(i));
}

template <typename T>
size_t FftCorrelation<T>::bytes() const {
  return bias_.bytes() + w_.bytes();
}

template <typename T>
void FftCorrelation<T>::run(const Context& context, const Correlation& c, const T* x, T* y) const {
  if (c.images * c.axis[0].out * c.axis[1].out * c.axis[2].out == 0) return;
  constexpr T inf = std::numeric_limits<T>::infinity();
  const bool plain = std::all_of(w_apart_.begin(), w_apart_.end(), [](const auto& e) { return e.empty(); });
  if (plain && sum(context, c, x, bias_.data(), lo_, hi_, y)) return;
  // By image and group.
  std::vector<Elements> apart(static_cast<size_t>(c.images * c.groups));
  const AlignedArray<T> rest = without_apart(c, x, apart);
  const bool any = std::any_of(apart.begin(), apart.end(), [](const auto& e) { return !e.empty(); });
  if (plain && !any) return;  // sums beyond the range
  sum(context, c, rest.data(), nullptr, -inf, inf, y);
  const int64_t channels = c.groups * c.written;
  double terms = 0;
  for (const auto& elements : apart) terms += static_cast<double>(elements.size());
  terms *= static_cast<double>(c.taps() * c.written);
  for (const auto& elements : w_apart_)
    terms += static_cast<double>(elements.size()) * static_cast<double>(c.images * c.outputs());
  parallel_for(c.images * channels, terms, [&](int64_t i) {
    if (context.is_cancelled()) return;
    const int64_t image = i / channels, channel = i % channels, group = channel / c.written;
    T* const plane = y + image * c.y.image + group * c.y.group + channel % c.written * c.y.channel;
    for (const Element& e : apart[static_cast<size_t>(image * c.groups + group)]) {
      add_input(c, e, w_.data() + c.plane_of_w(channel * c.read + e.channel), plane);
    }
    for (const Element& e : w_apart_[static_cast<size_t>(channel)]) {
      add_tap(c, e, x + image * c.x.image + group * c.x.group + e.channel * c.x.channel, plane);
    }
    for (int64_t j = 0; j < c.outputs(); ++j) {
      const T raised = std::max(lo_, plane[j] + bias_.data()[channel]);
      plane[j] = std::isnan(plane[j]) ? plane[j] : std::min(hi_, raised);
    }
  });
}

template <typename T>
void FftCorrelation<T>::collect_apart(const Correlation& c, int64_t plane, const T* w) {
  const int64_t rows = c.axis[1].kernel, columns = c.axis[2].kernel, taps = c.taps();
  for (int64_t i = 0; i < taps; ++i) {
    if (!is_apart(w[i])) continue;
    const int64_t tap = c.flip ? taps - 1 - i : i;
    w_apart_[static_cast<size_t>(plane / c.read)].push_back(
        {plane % c.read, {tap / columns / rows, tap / columns % rows, tap % columns}, w[i]});
  }
}

// The input with zeros instead of what is apart, which is listed by image and group.
template <typename T>
AlignedArray<T> FftCorrelation<T>::without_apart(const Correlation& c, const T* x,
                                                 std::vector<Elements>& apart) {
  const int64_t rows = c.axis[1].in, columns = c.axis[2].in, plane = c.axis[0].in * rows * columns;
  AlignedArray<T> rest(c.images * c.groups * c.read * plane);
  for (int64_t i = 0; i < c.images * c.groups * c.read; ++i) {
    const int64_t channel = i % c.read, group = i / c.read % c.groups, image = i / c.read / c.groups;
    const int64_t at = image * c.x.image + group * c.x.group + channel * c.x.channel;
    for (int64_t j = 0; j < plane; ++j) {
      const T value = x[at + j];
      const bool is_plain = !is_apart(value);
      rest.data()[at + j] = is_plain ? value : T{0};
      if (is_plain) continue;
      apart[static_cast<size_t>(image * c.groups + group)].push_back(
          {channel, {j / columns / rows, j / columns % rows, j % columns}, value});
    }
  }
  return rest;
}

// Adds what an element of the input gives with every tap.
template <typename T>
void FftCorrelation<T>::add_input(const Correlation& c, const Element& e, const T* w, T* y) {
  const std::vector<Meeting> depth = meetings(c, c.axis[0], e.at[0]),
                             height = meetings(c, c.axis[1], e.at[1]),
                             width = meetings(c, c.axis[2], e.at[2]);
  const int64_t last = c.taps() - 1;
  for (const Meeting& m0 : depth) {
    for (const Meeting& m1 : height) {
      T* const out = y + (m0.out * c.axis[1].out + m1.out) * c.axis[2].out;
      const int64_t row = (m0.tap * c.axis[1].kernel + m1.tap) * c.axis[2].kernel;
      for (const Meeting& m2 : width) {
        const int64_t tap = row + m2.tap;
        out[m2.out] += e.value * w[c.flip ? last - tap : tap];
      }
    }
  }
}

// Adds what a tap gives with every element of the input that is not apart itself.
template <typename T>
void FftCorrelation<T>::add_tap(const Correlation& c, const Element& e, const T* x, T* y) {
  const auto read_by = [&](int k, int64_t out) {
    const CorrelationAxis& axis = c.axis[k];
    return source_of(c, axis, out * axis.stride + e.at[k] * axis.dilation - axis.pad_before);
  };
  for (int64_t o0 = 0; o0 < c.axis[0].out; ++o0) {
    const int64_t depth = read_by(0, o0);
    for (int64_t o1 = 0; o1 < c.axis[1].out; ++o1) {
      const int64_t row = read_by(1, o1);
      for (int64_t o2 = 0; o2 < c.axis[2].out; ++o2, ++y) {
        const int64_t column = read_by(2, o2);
        if (depth < 0 || row < 0 || column < 0) continue;
        const T value = x[(depth * c.axis[1].in + row) * c.axis[2].in + column];
        if (!is_apart(value)) *y += value * e.value;
      }
    }
  }
}

template <typename T>
std::unique_ptr<const FftCorrelation<T>> FftCorrelation<T>::make(const Context& context, const Correlation& c,
                                                                 int32_t variant, const T* w, const T* bias,
                                                                 double lo, double hi) {
  return is_large_fft(variant) ? make_large_tiles(context, c, variant, w, bias, lo, hi)
                               : make_partitioned(context, c, variant, w, bias, lo, hi);
}

template class FftCorrelation<float>;
template class FftCorrelation<double>;

}  // namespace convmat
