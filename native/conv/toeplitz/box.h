// A box of outputs of a sparse Toeplitz product, tile by tile. Tiles whose taps all lie inside the source are
// read in place; the others from a panel, where padding, stride and the ends of the source are resolved.
#pragma once

#include <cstdint>
#include <vector>

#include "conv/toeplitz/taps.h"
#include "geometry/axis.h"
#include "runtime/arena.h"
#include "table/table.h"

namespace convmat {

// What a box is computed from, and where it goes.
template <typename T>
struct ToeplitzProblem {
  const Kernels<T>* kernels;
  const ToeplitzTaps<T>* taps;
  ToeplitzAxis axes[3];
  int64_t read, written;  // channels per group
  int64_t out[3];         // sizes of the written planes
  const T* source_end;    // nothing is read from here on
  const T* bias;          // one per written channel of all groups, or null
  T lo, hi;
  // Results are added to the elements that they stand for as padding of this mode, instead of stored.
  bool is_padding;
  PaddingMode padding_mode;
};

template <typename T>
class ToeplitzBox {
 public:
  // The frame holds tables while the box is used.
  ToeplitzBox(const ToeplitzProblem<T>& problem, ArenaFrame& frame);

  // Bands of rows, for every output depth: what may be computed independently.
  int64_t bands() const { return problem_.axes[0].count * static_cast<int64_t>(rows_.size()); }
  // x, y: the group's first planes of one image.
  void run(int64_t band, int64_t group, const T* x, T* y) const;
  double cost_ns() const;

 private:
  // Of rows or columns; `is_inside`: all taps of all of them lie inside the source.
  struct Stretch {
    int64_t begin, end;
    bool is_inside;
  };
  // Where a tile's input lies, and how it is addressed.
  struct Input {
    const T* x;
    int64_t row;
    const int64_t* offsets;
  };

  // Of a row, what some columns read: elements `first` to first + count, of which the source has those from
  // `before` to `inside`.
  struct RowCut {
    int64_t first, count, before, inside;
  };

  // An output beside an end of its row, which some taps miss: the products that are left, summed one by one.
  struct EdgeTap {
    int64_t offset;
    T weight;
  };
  struct Edge {
    int64_t channel, column;
    size_t begin, end;  // of its taps
  };

  static std::vector<Stretch> stretches(const ToeplitzAxis& axis, int64_t size, int64_t inside_size,
                                        int64_t quantum, bool split);
  void set_edges();
  void add_edge(const ToeplitzBlock<T>& block, int64_t channel, int64_t column, std::vector<Edge>& edges);
  void run_edges(int64_t group, const T* x, int64_t depth, const Stretch& rows, T* y) const;
  T* place_of(int64_t channel, int64_t depth, int64_t row, int64_t column, T* y) const;
  void set_panel();
  void gather(const T* x, int64_t depth, const Stretch& rows, const Stretch& columns, T* panel) const;
  RowCut cut_row(const Stretch& columns) const;
  void gather_row(const T* from, const RowCut& cut, T* to) const;
  void run_tile(const Input& input, int64_t group, int64_t depth, const Stretch& rows, const Stretch& columns,
                T* scratch, T* y) const;
  void run_block(const ToeplitzBlock<T>& block, const Input& input, const T* bias, int64_t depth,
                 const Stretch& rows, const Stretch& columns, T* scratch, T* y) const;
  // How a tile is summed: in rows of one channel or channels of one row, and vectors at a time.
  struct Sum {
    ToeplitzForm form;
    int64_t channels, rows;
    int vectors;
  };
  // Some hundreds of products at a time, and then these sums: an output errs as one of a product of matrices.
  void sum_tile(const Sum& sum, const ToeplitzTile<T>& tile) const;
  void sum_in_order(const Sum& sum, const ToeplitzTile<T>& tile) const;
  void deliver(const T* from, int64_t channels, int64_t rows, int64_t columns, int64_t depth, int64_t row,
               int64_t column, T* y) const;

  ToeplitzProblem<T> problem_;
  bool has_taps_, is_stored_in_place_;
  int64_t tile_columns_, band_rows_, sweep_rows_;
  int64_t panel_rows_, panel_stretch_, panel_row_;  // per slice; per residue of the stride; all residues
  int64_t* direct_offsets_;
  int64_t* panel_offsets_;
  int64_t lowest_offset_ = 0, highest_offset_ = 0;
  std::vector<Stretch> rows_, columns_;
  // When whole rows are read in place and the outputs at their ends computed again: those, by group.
  bool sweeps_whole_rows_ = false;
  std::vector<std::vector<Edge>> edges_;
  std::vector<EdgeTap> edge_taps_;
};

extern template class ToeplitzBox<float>;
extern template class ToeplitzBox<double>;

}  // namespace convmat
