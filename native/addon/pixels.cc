#include "addon/pixels.h"

#include <memory>
#include <utility>

#include "addon/async.h"
#include "addon/conv.h"
#include "addon/environment.h"
#include "door/pixels.h"
#include "runtime/spare_block.h"

namespace convmat::addon {
namespace {

template <class Job>
class PixelCall final : public AsyncCall {
 public:
  PixelCall(AsyncCalls* owner, const KernelTable& kernels, Job job, const Napi::Value& from,
            const Napi::Value& to, const Napi::Value& callback)
      : AsyncCall(owner, callback), kernels_(&kernels), job_(std::move(job)) {
    keep(to);
    keep(from);
  }

 protected:
  void work() override { job_.run(Context{kernels_, &cancelled()}); }
  Napi::Value take_result(Napi::Env) override { return kept(0).Value(); }

 private:
  const KernelTable* const kernels_;
  Job job_;
};

// Both halves of it in memory that the process keeps for such calls.
class ConvolvePixelsCall final : public AsyncCall {
 public:
  ConvolvePixelsCall(AsyncCalls* owner, const PreparedConv& prepared, ConvolvePixelsJob job,
                     const Napi::Value& pixels, const Napi::Value& result, const Napi::Value& callback)
      : AsyncCall(owner, callback),
        kernels_(&prepared.kernels()),
        plan_(prepared.plan()),
        lengths_(prepared.lengths()),
        packed_(prepared.packed()),
        job_(std::move(job)) {
    keep(result);
    keep(pixels);
  }

 protected:
  void work() override {
    const Context context{kernels_, &cancelled()};
    const SpareBlock planes(static_cast<size_t>(lengths_.input) * sizeof(float));
    job_.from.result = reinterpret_cast<float*>(planes.data());
    job_.from.run(context);
    const SpareBlock sums(static_cast<size_t>(lengths_.output) * sizeof(float));
    if (!is_cancelled()) run_conv(context, plan_, *packed_, planes.data(), sums.data());
    packed_.reset();
    if (!is_cancelled()) convmat::to_pixels(context, job_.to, sums.data(), job_.result);
  }
  Napi::Value take_result(Napi::Env) override { return kept(0).Value(); }

 private:
  const KernelTable* const kernels_;
  const ConvPlan plan_;
  const ConvLengths lengths_;
  std::shared_ptr<const PackedConv> packed_;
  ConvolvePixelsJob job_;
};

// `operands`: the argument that is read, the next being what is written, and the one after the callback.
template <class Job>
Napi::Value start(const Napi::CallbackInfo& call, Job job, size_t operands) {
  Environment& environment = Environment::of(call.Env());
  AsyncCalls& calls = environment.async_calls();
  auto task = std::make_shared<PixelCall<Job>>(&calls, environment.kernels(), std::move(job), call[operands],
                                               call[operands + 1], call[operands + 2]);
  return Napi::Number::New(call.Env(), calls.start(std::move(task)));
}

}  // namespace

Napi::Value from_pixels_async(const Napi::CallbackInfo& call) {
  return start(call, read_from_pixels(call), 4);
}

Napi::Value to_pixels_async(const Napi::CallbackInfo& call) { return start(call, read_to_pixels(call), 5); }

Napi::Value convolve_pixels_async(const Napi::CallbackInfo& call) {
  const PreparedConv& prepared = PreparedConv::unwrap(call[0]);
  AsyncCalls& calls = Environment::of(call.Env()).async_calls();
  ConvolvePixelsJob job = read_convolve_pixels(call, prepared.plan(), prepared.lengths());
  auto task =
      std::make_shared<ConvolvePixelsCall>(&calls, prepared, std::move(job), call[10], call[11], call[12]);
  return Napi::Number::New(call.Env(), calls.start(std::move(task)));
}

}  // namespace convmat::addon
