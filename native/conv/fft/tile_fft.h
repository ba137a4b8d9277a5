// Fourier transforms of the tiles that a convolution is cut into, between an image's rows and blocks of
// spectra that products read from front to back.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/fft.h"
#include "runtime/arena.h"
#include "table/table.h"

namespace convmat {

// A tile is a matrix of `rows` x `columns` real points; two of them are the real and the imaginary part of
// one transform.
//   plane   two axes are transformed
//   line    the rows are one line, each the continuation of the one before: one axis of rows * columns points
//   bundle  the columns are lines side by side, each transformed by itself
// Everything is done down the columns of strips of kFftBlock columns; for planes and lines in two rounds with
// a transposition between, which for lines multiplies by twiddles (Bailey 1990).
//
// A spectrum is so many blocks of kFftBlock points, `step` elements apart, a block's real parts before its
// imaginary parts. Their order is the transform's own, the same for every tile.
template <typename T>
class TileFft {
 public:
  enum class Kind { plane, line, bundle };

  // Both sizes are products of 2, 3, 5, 7 and multiples of kFftBlock.
  TileFft(Kind kind, int64_t rows, int64_t columns);

  Kind kind() const { return kind_; }
  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t points() const { return rows_ * columns_; }
  // Points of one transform.
  int64_t length() const { return kind_ == Kind::bundle ? rows_ : points(); }
  int64_t blocks() const { return points() / kFftBlock<T>; }
  // From row to row of a tile: rows a power of two apart would fall into the same few sets of L1.
  int64_t pitch() const { return columns_ + kFftBlock<T>; }

  // A tile, and what its transforms need beside it.
  struct Work {
    T *re, *im;  // [rows][pitch]
    T *turned_re, *turned_im, *scratch;
  };
  Work take(ArenaFrame& arena) const;
  int64_t work_size() const;

  // The tile is overwritten.
  void forward(const KernelTable& kernels, const Work& tile, T* spectrum, int64_t step) const;
  // Without the division by length().
  void inverse(const KernelTable& kernels, const T* spectrum, int64_t step, const Work& tile) const;

 private:
  int64_t turned_pitch() const { return rows_ + kFftBlock<T>; }
  int64_t scratch_size() const;
  // to[c][r] <-- from[r][c], times W(points)^(r c) in a line.
  void turn(const KernelTable& kernels, int64_t rows, int64_t columns, ConstRows<T> from, Rows<T> to) const;

  Kind kind_;
  int64_t rows_, columns_;
  ColumnFft<T> down_, across_;
  // Of a line, W(points)^(r lane) and W(points)^(r column) for the first column of each strip: [row][lane],
  // [strip][row][part]
  std::vector<T> lane_re_, lane_im_, base_;
};

}  // namespace convmat
