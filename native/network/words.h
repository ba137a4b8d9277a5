// A network as it arrives: one list of numbers, read in order, each within its bounds.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "plan/wire.h"

namespace convmat {

class Words {
 public:
  Words(const double* words, int64_t count) : words_(words), count_(count) {}

  bool done() const { return at_ == count_; }

  double next() {
    if (at_ == count_) throw Refusal("network: expected more words, got " + quantity(count_));
    return words_[at_++];
  }
  // Sizes and offsets are exact to 2^53.
  int64_t next_integer(int64_t least, int64_t most = int64_t{1} << 52) {
    const double value = next();
    if (!(value >= static_cast<double>(least) && value <= static_cast<double>(most)) ||
        value != std::floor(value)) {
      throw Refusal("network: expected an integer from " + quantity(least) + " to " + quantity(most) +
                    " as word " + quantity(at_ - 1) + ", got " + std::to_string(value));
    }
    return static_cast<int64_t>(value);
  }
  // A position in a list; -1 for none, where that may be.
  int64_t next_index(size_t count, bool is_optional) {
    return next_integer(is_optional ? -1 : 0, static_cast<int64_t>(count) - 1);
  }
  bool next_flag() { return next_integer(0, 1) != 0; }
  template <class Enum>
  Enum next_of(Enum last) {
    return static_cast<Enum>(next_integer(0, static_cast<int64_t>(last)));
  }
  // The fields of a plan, which are int32.
  std::vector<int32_t> next_fields(size_t count) {
    std::vector<int32_t> fields(count);
    for (int32_t& field : fields) field = static_cast<int32_t>(next_integer(INT32_MIN, INT32_MAX));
    return fields;
  }

 private:
  const double* const words_;
  const int64_t count_;
  int64_t at_ = 0;
};

}  // namespace convmat
