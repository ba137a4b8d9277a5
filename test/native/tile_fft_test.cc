// Transforms of tiles, by what makes them useful: they are undone by their inverse, and a product of spectra
// is a cyclic convolution, along both axes, along the line that the rows are, or down each column.
#include "conv/fft/tile_fft.h"

#include <cmath>
#include <vector>

#include "support.h"

namespace convmat::test {
namespace {

template <typename T>
class Tile {
 public:
  Tile(const TileFft<T>& fft, ArenaFrame& arena) : fft_(fft), work_(fft.take(arena)) {}
  T& re(int64_t r, int64_t c) const { return work_.re[r * fft_.pitch() + c]; }
  T& im(int64_t r, int64_t c) const { return work_.im[r * fft_.pitch() + c]; }
  const typename TileFft<T>::Work& work() const { return work_; }

 private:
  const TileFft<T>& fft_;
  const typename TileFft<T>::Work work_;
};

template <typename T>
void fill(const TileFft<T>& fft, const Tile<T>& tile, uint32_t seed) {
  std::mt19937 random(seed);
  for (int64_t r = 0; r < fft.rows(); ++r) {
    for (int64_t c = 0; c < fft.columns(); ++c) {
      tile.re(r, c) = static_cast<T>(static_cast<int>(random() % 17) - 8);
      tile.im(r, c) = static_cast<T>(static_cast<int>(random() % 17) - 8);
    }
  }
}

template <typename T>
void check(const KernelTable& kernels, typename TileFft<T>::Kind kind, int64_t rows, int64_t columns) {
  using Kind = typename TileFft<T>::Kind;
  const TileFft<T> fft(kind, rows, columns);
  const double n = static_cast<double>(fft.length());
  const double tolerance = 300 * n * (sizeof(T) == 4 ? 6e-8 : 1.2e-16);
  constexpr int64_t block = kFftBlock<T>;
  // Blocks that lie apart, as those of neighbouring channels do.
  const int64_t step = 3 * 2 * block;
  ArenaFrame arena;
  const Tile<T> tile(fft, arena);
  std::vector<T> spectrum(fft.blocks() * step, T{77}), shift(spectrum);

  fill(fft, tile, 1);
  fft.forward(kernels, tile.work(), spectrum.data(), step);
  fft.inverse(kernels, spectrum.data(), step, tile.work());
  ArenaFrame other_arena;
  const Tile<T> original(fft, other_arena);
  fill(fft, original, 1);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      ASSERT_NEAR(tile.re(r, c), n * original.re(r, c), tolerance) << r << ", " << c;
      ASSERT_NEAR(tile.im(r, c), n * original.im(r, c), tolerance) << r << ", " << c;
    }
  }
  // What lies between the blocks is another channel's.
  for (int64_t b = 0; b < fft.blocks(); ++b) {
    for (int64_t i = 2 * block; i < step; ++i) ASSERT_EQ(spectrum[b * step + i], T{77});
  }

  // One point, a little down and to the right, shifts all others by as much. A column of it does in a bundle.
  const int64_t down = rows > 2 ? 2 : 1, right = kind == Kind::bundle ? 0 : 3;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      const bool is_there = r == down && (kind == Kind::bundle || c == right);
      tile.re(r, c) = is_there ? T{1} : T{0};
      tile.im(r, c) = 0;
    }
  }
  fft.forward(kernels, tile.work(), shift.data(), step);
  for (int64_t b = 0; b < fft.blocks(); ++b) {
    T* const re = spectrum.data() + b * step;
    const T* const by = shift.data() + b * step;
    for (int64_t i = 0; i < block; ++i) {
      const T x = re[i], y = re[block + i];
      re[i] = x * by[i] - y * by[block + i];
      re[block + i] = x * by[block + i] + y * by[i];
    }
  }
  fft.inverse(kernels, spectrum.data(), step, tile.work());
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      int64_t to_r = (r + down) % rows, to_c = (c + right) % columns;
      if (kind == Kind::line) {
        const int64_t at = (r * columns + c + down * columns + right) % fft.points();
        to_r = at / columns, to_c = at % columns;
      }
      ASSERT_NEAR(tile.re(to_r, to_c), n * original.re(r, c), tolerance) << r << ", " << c;
      ASSERT_NEAR(tile.im(to_r, to_c), n * original.im(r, c), tolerance) << r << ", " << c;
    }
  }
}

template <typename T>
void check_all(const KernelTable& kernels) {
  constexpr int64_t block = kFftBlock<T>;
  for (const int64_t rows : {block, 3 * block, 5 * block, 7 * block}) {
    for (const int64_t columns : {block, 2 * block, 3 * block}) {
      SCOPED_TRACE(testing::Message() << rows << " x " << columns);
      check<T>(kernels, TileFft<T>::Kind::plane, rows, columns);
      check<T>(kernels, TileFft<T>::Kind::line, rows, columns);
      check<T>(kernels, TileFft<T>::Kind::bundle, rows, columns);
    }
  }
}

class TileFftTest : public EachIsa {};
TEST_P(TileFftTest, ProductsOfSpectraAreCyclicConvolutions) {
  check_all<float>(kernels());
  check_all<double>(kernels());
}
CONVMAT_ON_EACH_ISA(TileFftTest);

}  // namespace
}  // namespace convmat::test
