#include "conv/toeplitz/taps.h"

#include <algorithm>

#include "runtime/tuning.h"

namespace convmat {
namespace {

// The steps of one block while they are gathered.
template <typename T>
struct Steps {
  ToeplitzForm form;
  int64_t channel, channels;
  std::vector<int32_t> taps;
  std::vector<T> weights;
};

}  // namespace

template <typename T>
ToeplitzTaps<T>::ToeplitzTaps(const ToeplitzWeights& layout, const T* weight,
                              const std::vector<int64_t> (&sets)[3], const int64_t (&kernel)[3], bool is_even,
                              const ToeplitzBlocking& blocking) {
  const int64_t depth = static_cast<int64_t>(sets[0].size()), height = static_cast<int64_t>(sets[1].size()),
                width = static_cast<int64_t>(sets[2].size());
  const int64_t spatial = depth * height * width;
  const int64_t all = layout.read * spatial;

  // [channel][tap] of a group: the weights in the order of the taps' numbers.
  std::vector<T> dense(static_cast<size_t>(layout.written * all));
  const auto value = [&](int64_t channel, int64_t tap) {
    return dense[static_cast<size_t>(channel * all + tap)];
  };

  std::vector<std::vector<Steps<T>>> groups;
  for (int64_t g = 0; g < layout.groups; ++g) {
    size_t at = 0;
    for (int64_t channel = 0; channel < layout.written; ++channel) {
      for (int64_t read = 0; read < layout.read; ++read) {
        const T* const from =
            weight + g * layout.group_stride + channel * layout.written_stride + read * layout.read_stride;
        for (int64_t d : sets[0]) {
          for (int64_t h : sets[1]) {
            for (int64_t w : sets[2]) dense[at++] = from[(d * kernel[1] + h) * kernel[2] + w];
          }
        }
      }
    }

    // One channel by its own taps.
    const auto rows_of = [&](int64_t channel) {
      Steps<T> steps{ToeplitzForm::rows, channel, 1, {}, {}};
      for (int64_t tap = 0; tap < all; ++tap) {
        if (value(channel, tap) == 0) continue;
        steps.taps.push_back(static_cast<int32_t>(tap));
        steps.weights.push_back(value(channel, tap));
      }
      return steps;
    };
    // One channel by its columns of taps that are not all zero.
    const auto plane_of = [&](int64_t channel) {
      Steps<T> steps{ToeplitzForm::plane, channel, 1, {}, {}};
      for (int64_t slice = 0; slice < layout.read * depth; ++slice) {
        for (int64_t w = 0; w < width; ++w) {
          const int64_t first = slice * height * width + w;
          bool is_zero = true;
          for (int64_t h = 0; h < height; ++h) is_zero = is_zero && value(channel, first + h * width) == 0;
          if (is_zero) continue;
          steps.taps.push_back(static_cast<int32_t>(first));
          for (int64_t h = 0; h < height; ++h) steps.weights.push_back(value(channel, first + h * width));
        }
      }
      return steps;
    };
    // The taps that any of some channels has.
    const auto channels_of = [&](int64_t channel, int64_t channels) {
      Steps<T> steps{ToeplitzForm::channels, channel, channels, {}, {}};
      for (int64_t tap = 0; tap < all; ++tap) {
        bool is_zero = true;
        for (int64_t c = channel; c < channel + channels; ++c) is_zero = is_zero && value(c, tap) == 0;
        if (is_zero) continue;
        steps.taps.push_back(static_cast<int32_t>(tap));
        for (int64_t c = channel; c < channel + channels; ++c) steps.weights.push_back(value(c, tap));
      }
      return steps;
    };

    std::vector<Steps<T>> blocks;
    for (int64_t first = 0, end; first < layout.written; first = end) {
      const int64_t channels = toeplitz_count(std::min<int64_t>(blocking.mr, layout.written - first));
      end = first + channels;
      std::vector<Steps<T>> singly;
      double single_cost = 0;
      for (int64_t c = first; c < end; ++c) {
        Steps<T> rows = rows_of(c);
        const double rows_cost = static_cast<double>(rows.taps.size()) * tuning::kToeplitzLoad;
        if (is_even && height > 1) {
          Steps<T> plane = plane_of(c);
          const double taller = static_cast<double>(std::min<int64_t>(height, blocking.mr));
          const double tall = static_cast<double>(height);
          const double column_cost = std::max(
              tall, tuning::kToeplitzLoad * (tall + taller - 1) / taller + tuning::kToeplitzBroadcast * tall);
          const double plane_cost = static_cast<double>(plane.taps.size()) * column_cost;
          single_cost += std::min(rows_cost, plane_cost);
          singly.push_back(plane_cost < rows_cost ? std::move(plane) : std::move(rows));
        } else {
          single_cost += rows_cost;
          singly.push_back(std::move(rows));
        }
      }
      if (channels > 1) {
        Steps<T> jointly = channels_of(first, channels);
        const double m = static_cast<double>(channels);
        const double joint_cost = static_cast<double>(jointly.taps.size()) *
                                  std::max(m, tuning::kToeplitzLoad + tuning::kToeplitzBroadcast * m);
        if (joint_cost < single_cost) {
          singly.clear();
          singly.push_back(std::move(jointly));
        }
      }
      for (Steps<T>& steps : singly) blocks.push_back(std::move(steps));
    }
    groups.push_back(std::move(blocks));
  }

  size_t taps = 0, weights = 0;
  for (const auto& blocks : groups) {
    for (const Steps<T>& steps : blocks) {
      taps += steps.taps.size();
      weights += steps.weights.size();
    }
    block_count_ += blocks.size();
  }
  taps_ = AlignedArray<int32_t>(static_cast<int64_t>(taps));
  weights_ = AlignedArray<T>(static_cast<int64_t>(weights));
  products_ = static_cast<double>(weights);
  int32_t* to_taps = taps_.data();
  T* to_weights = weights_.data();
  for (const auto& blocks : groups) {
    std::vector<ToeplitzBlock<T>> packed;
    for (const Steps<T>& steps : blocks) {
      packed.push_back({steps.form, steps.channel, steps.channels, static_cast<int64_t>(steps.taps.size()),
                        to_taps, to_weights});
      to_taps = std::copy(steps.taps.begin(), steps.taps.end(), to_taps);
      to_weights = std::copy(steps.weights.begin(), steps.weights.end(), to_weights);
    }
    blocks_.push_back(std::move(packed));
  }
}

template class ToeplitzTaps<float>;
template class ToeplitzTaps<double>;

}  // namespace convmat
