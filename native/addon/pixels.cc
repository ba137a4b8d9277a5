#include "addon/pixels.h"

#include <memory>
#include <utility>

#include "addon/async.h"
#include "addon/environment.h"
#include "door/pixels.h"

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

}  // namespace convmat::addon
