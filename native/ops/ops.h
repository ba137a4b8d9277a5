// What the core offers to the addon: whole operations on plain pointers, each run on the calling thread and
// the pool's workers. Everything below is re-entrant; nothing keeps a pointer after it returns, but where
// Context::for_one_run says so.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "plan/plan.h"

namespace convmat {

struct KernelTable;

// What a call runs with. `cancelled`, when given, is polled between tiles; a cancelled operation returns
// early and leaves its output unspecified.
struct Context {
  const KernelTable* kernels;
  const std::atomic<bool>* cancelled = nullptr;
  // Whether what pack_conv makes is for one run with its very plan, and its operands outlive that: it may
  // refer to them rather than keep what it needs of them.
  bool for_one_run = false;
};

// Whether an fft plan's variant is the size of tiles that exist and hold its kernel.
bool is_fft_plan(const ConvPlan& plan);
// Whether a plan has a kernel that Winograd's tiles are for, and its variant is one of them.
bool is_winograd_plan(const ConvPlan& plan);
// Whether a depthwise plan has the geometry that its kernels are for.
bool is_depthwise_plan(const ConvPlan& plan);
// Whether a depthwise plan of two passes has the geometry for them.
bool is_separable_plan(const ConvPlan& plan);

// Weights (and bias, activation bounds) in the layout that the plan's algorithm reads: immutable, so that any
// number of threads may run with it at once. For ConvOp::forward and ConvOp::input_grad.
class PackedConv {
 public:
  virtual ~PackedConv() = default;
  virtual size_t bytes() const = 0;
};

// weight: OIHW of the forward convolution. bias: one per channel of the written tensor, or null.
// Results are clamped to [lo, hi]; NaN passes through. -inf and +inf mean no clamp.
std::shared_ptr<const PackedConv> pack_conv(const Context&, const ConvPlan&, const void* weight,
                                            const void* bias, double lo, double hi);

// forward: input is x, output is y. input_grad: input is dy, output is dx. Any plan whose packing key (op,
// dtype, algorithm, variant, groups, channels, kernel, and for input_grad stride and dilation) equals the
// packed one's.
void run_conv(const Context&, const ConvPlan&, const PackedConv&, const void* input, void* output);

// dw[o,c,taps] = sum over batch and outputs of dy * x.
void conv_weight_grad(const Context&, const ConvPlan&, const void* input, const void* grad_output,
                      void* grad_weight);

// db[o] = sum over batch and places of dy[n][o][places], in double. f32, f64.
void conv_bias_grad(DType dtype, int64_t batch, int64_t channels, int64_t places, const void* grad_output,
                    void* grad_bias);

// columns[n][c * taps][outputs] <-- input[n][c][in], every dtype; `fold` is its adjoint (zeros padding only)
// and overwrites `output`.
void unfold(const Context&, const ConvPlan&, const void* input, void* columns);
void fold(const Context&, const ConvPlan&, const void* columns, void* output);

// c[m][n] = a[m][k] * b[k][n]. f32, f64; i8 and u8 in any mix into i32, exact modulo 2^32.
void matmul(const Context&, DType a_dtype, DType b_dtype, int64_t m, int64_t n, int64_t k, const void* a,
            const void* b, void* c);

// Pooling of every channel plane, exactly as PyTorch's. `indices`, when given, receives each maximum's flat
// spatial index in the input. max_pool takes every dtype, avg_pool f32 and f64.
void max_pool(const Context&, const PoolPlan&, const void* input, void* output, int32_t* indices);
void avg_pool(const Context&, const PoolPlan&, const void* input, void* output);

// The adjoint of max pooling: dx[plane][indices[plane][o]] += dy[plane][o], and 0 elsewhere. f32, f64. False,
// with an unspecified result, when an index leads outside its plane: nothing is written there.
bool max_pool_grad(DType dtype, int64_t planes, int64_t outputs, int64_t inputs, const void* grad_output,
                   const int32_t* indices, void* grad_input);

// A matrix in compressed sparse rows; indptr has rows + 1 offsets, indices and data nnz entries.
struct CsrMatrix {
  DType dtype;  // f32 or f64
  int64_t rows, cols, nnz;
  const int32_t* indptr;
  const int32_t* indices;
  const void* data;
};

// Arrays for such a matrix of a convolution: indptr has an element per output and one more.
struct CsrParts {
  int64_t nnz;
  int32_t* indptr;
  int32_t* indices;
  void* data;
};
// The forward convolution's matrix for one image: an entry per output and nonzero tap inside the image; taps
// that coincide in the padding make one. False when it has not exactly nnz entries; no more are written.
bool conv_entries(const ConvPlan&, const void* weight, const CsrParts& parts);

// y = A x, x = A^T y, y[rows][columns] = A x[cols][columns]. False, with an unspecified result, when offsets
// or columns lead outside the matrix: nothing is read or written there.
bool csr_matvec(const Context&, const CsrMatrix& a, const void* x, void* y);
bool csr_rmatvec(const Context&, const CsrMatrix& a, const void* y, void* x);
bool csr_matmat(const Context&, const CsrMatrix& a, int64_t columns, const void* x, void* y);

}  // namespace convmat
