// The matrix of a convolution in compressed sparse rows, from its structure. A row repeats along the outputs
// of a line that read alike, each entry `stride` columns further: it is built once, and copied.
#include "ops/entries.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "geometry/axis.h"
#include "plan/arith.h"
#include "plan/dispatch.h"
#include "runtime/pages.h"

namespace convmat {
namespace {

// What outputs of one axis read: the distinct elements, ascending, and for each the taps that read it.
struct Reads {
  std::vector<int64_t> sources;
  std::vector<std::vector<int64_t>> taps;
};

// `count` outputs that read alike, each one's elements `stride` after its predecessor's.
struct Run {
  int64_t count;
  Reads reads;
};

Reads reads_at(const Axis& axis, PaddingMode mode, int64_t output) {
  std::vector<std::pair<int64_t, int64_t>> found;  // of source and tap
  for (int64_t tap = 0; tap < axis.kernel; ++tap) {
    const int64_t source =
        source_of(output * axis.stride + tap * axis.dilation - axis.pad_before, axis.in, mode);
    if (source >= 0) found.emplace_back(source, tap);
  }
  std::sort(found.begin(), found.end());
  Reads reads;
  for (const auto& [source, tap] : found) {
    if (reads.sources.empty() || reads.sources.back() != source) {
      reads.sources.push_back(source);
      reads.taps.emplace_back();
    }
    reads.taps.back().push_back(tap);
  }
  return reads;
}

bool is_shifted(const Reads& a, const Reads& b, int64_t by) {
  if (a.taps != b.taps) return false;
  for (size_t i = 0; i < a.sources.size(); ++i) {
    if (b.sources[i] != a.sources[i] + by) return false;
  }
  return true;
}

std::vector<Run> runs_of(const Axis& axis, PaddingMode mode) {
  // Outputs all of whose taps lie inside read alike, however many there are.
  const int64_t reach = axis.in - 1 - axis.dilation * (axis.kernel - 1) + axis.pad_before;
  const int64_t first = ceil_div(axis.pad_before, axis.stride);
  const int64_t last = reach < 0 ? -1 : std::min(axis.out - 1, reach / axis.stride);
  std::vector<Run> runs;
  for (int64_t output = 0; output < axis.out;) {
    const int64_t count = output == first && last >= first ? last - first + 1 : 1;
    Reads reads = reads_at(axis, mode, output);
    if (count == 1 && !runs.empty() &&
        is_shifted(runs.back().reads, reads, runs.back().count * axis.stride)) {
      ++runs.back().count;
    } else {
      runs.push_back({count, std::move(reads)});
    }
    output += count;
  }
  return runs;
}

template <typename T>
class EntryWriter {
 public:
  EntryWriter(const ConvPlan& plan, int64_t rows, const T* weight, const CsrParts& parts)
      : plan_(plan), rows_(rows), weight_(weight), parts_(parts), data_(static_cast<T*>(parts.data)) {
    int64_t longest = plan.in_channels / plan.groups;
    for (const Axis& axis : plan.axis) longest *= axis.kernel;
    columns_.resize(static_cast<size_t>(longest));
    values_.resize(static_cast<size_t>(longest));
  }

  // False when there are more entries than the arrays hold, or fewer.
  bool write() {
    parts_.indptr[0] = 0;
    if (rows_ == 0) return parts_.nnz == 0;
    for (int a = 0; a < 3; ++a) runs_[a] = runs_of(plan_.axis[a], plan_.padding_mode);
    for (int64_t channel = 0; channel < plan_.out_channels; ++channel) {
      for (const Run& z : runs_[0]) {
        for (int64_t dz = 0; dz < z.count; ++dz) {
          for (const Run& y : runs_[1]) {
            for (int64_t dy = 0; dy < y.count; ++dy) {
              for (const Run& x : runs_[2]) {
                build_row(channel, z.reads, dz * plan_.axis[0].stride, y.reads, dy * plan_.axis[1].stride,
                          x.reads);
                if (!write_rows(x.count)) return false;
              }
            }
          }
        }
      }
    }
    return end_ == parts_.nnz;
  }

 private:
  // The entries of one row, read `dz` and `dy` elements after what is given.
  void build_row(int64_t channel, const Reads& z, int64_t dz, const Reads& y, int64_t dy, const Reads& x) {
    const auto& [depth, height, width] = plan_.axis;
    const int64_t per_group = plan_.in_channels / plan_.groups;
    const int64_t first_input = channel / (plan_.out_channels / plan_.groups) * per_group;
    entries_ = 0;
    for (int64_t c = 0; c < per_group; ++c) {
      const T* const kernel =
          weight_ + (channel * per_group + c) * depth.kernel * height.kernel * width.kernel;
      for (size_t zi = 0; zi < z.sources.size(); ++zi) {
        const int64_t slice = ((first_input + c) * depth.in + z.sources[zi] + dz) * height.in;
        for (size_t yi = 0; yi < y.sources.size(); ++yi) {
          const int64_t line = (slice + y.sources[yi] + dy) * width.in;
          for (size_t xi = 0; xi < x.sources.size(); ++xi) {
            double sum = 0;
            bool is_entry = false;
            for (const int64_t d : z.taps[zi]) {
              for (const int64_t h : y.taps[yi]) {
                for (const int64_t w : x.taps[xi]) {
                  const T value = kernel[(d * height.kernel + h) * width.kernel + w];
                  if (value == 0) continue;
                  is_entry = true;
                  sum += static_cast<double>(value);
                }
              }
            }
            if (!is_entry) continue;
            columns_[entries_] = static_cast<int32_t>(line + x.sources[xi]);
            values_[entries_++] = static_cast<T>(sum);
          }
        }
      }
    }
  }

  // `count` rows of what was built, each one's columns a stride after its predecessor's.
  bool write_rows(int64_t count) {
    const int64_t entries = static_cast<int64_t>(entries_);
    if (entries > 0 && count > (parts_.nnz - end_) / entries) return false;
    const int32_t step = static_cast<int32_t>(plan_.axis[2].stride);
    int32_t shift = 0;
    for (int64_t i = 0; i < count; ++i) {
      int32_t* const to = parts_.indices + end_;
      const int32_t* const from = columns_.data();
      for (int64_t e = 0; e < entries; ++e) to[e] = from[e] + shift;
      std::copy_n(values_.data(), entries, data_ + end_);
      end_ += entries;
      parts_.indptr[++row_] = static_cast<int32_t>(end_);
      shift += step;
    }
    return true;
  }

  const ConvPlan& plan_;
  int64_t rows_;
  const T* weight_;
  const CsrParts& parts_;
  T* data_;
  std::vector<Run> runs_[3];
  // Of one row.
  std::vector<int32_t> columns_;
  std::vector<T> values_;
  size_t entries_ = 0;
  int64_t row_ = 0, end_ = 0;
};

}  // namespace

bool conv_entries(const ConvPlan& plan, const void* weight, const CsrParts& parts) {
  int64_t rows = plan.out_channels;
  for (const Axis& axis : plan.axis) rows *= axis.out;
  const auto entries = static_cast<size_t>(parts.nnz);
  advise_huge_pages(parts.indptr, static_cast<size_t>(rows + 1) * sizeof(int32_t));
  advise_huge_pages(parts.indices, entries * sizeof(int32_t));
  return dispatch_float(plan.dtype, [&](auto zero) {
    using T = decltype(zero);
    advise_huge_pages(parts.data, entries * sizeof(T));
    return EntryWriter<T>(plan, rows, static_cast<const T*>(weight), parts).write();
  });
}

}  // namespace convmat
