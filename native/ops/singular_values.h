// Singular values of many small complex matrices.
#pragma once

#include <cstdint>

namespace convmat {

// values[count][min(rows, cols)] <-- the singular values of re + i*im, each [count][rows][cols], those of one
// matrix in no order. Each is right to a small multiple of epsilon times its matrix's largest. Entries should
// be near 1 (squares of those beyond 1e150 overflow); a matrix with one that is not finite gives NaN.
//
// Householder reflections make each matrix real and bidiagonal, implicit QR steps make that diagonal.
// Sources: Golub and Kahan 1965, "Calculating the singular values and pseudo-inverse of a matrix"; Demmel and
// Kahan 1990, "Accurate singular values of bidiagonal matrices".
void singular_values(int64_t count, int64_t rows, int64_t cols, const double* re, const double* im,
                     double* values);

}  // namespace convmat
