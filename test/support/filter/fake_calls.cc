#include "test/support/filter/fake_calls.h"

#include <utility>

#include "source/worker/timer_call.h"

namespace sluice::filter::testing {

FakeGrpcCall::~FakeGrpcCall() {
  std::erase(calls_.grpc, this);
}

FakeHttpCall::~FakeHttpCall() {
  std::erase(calls_.http, this);
}

std::unique_ptr<HttpStreamCall> FakeCalls::openHttp(HttpCallRequest request, bool end_stream,
                                                    HttpStreamEvents& events) {
  auto call = std::make_unique<FakeHttpCall>(*this, std::move(request), end_stream, events);
  http.push_back(call.get());
  return call;
}

std::unique_ptr<GrpcCall> FakeCalls::openGrpc(GrpcCallRequest request, GrpcEvents& events) {
  auto call = std::make_unique<FakeGrpcCall>(*this, std::move(request), events);
  grpc.push_back(call.get());
  return call;
}

void FakeCalls::expire() {
  for (size_t i = 0; i < waiting_.size(); ++i) {
    if (waiting_[i]->timer) return answer({}, i);
  }
}

FakeCalls::Waiting::~Waiting() {
  std::erase(calls->waiting_, this);
}

std::unique_ptr<FakeCalls::Waiting> FakeCalls::add(HttpCallRequest request,
                                                   std::function<void(HttpCallResponse)> on_response) {
  auto call = std::make_unique<Waiting>();
  call->calls = this;
  call->request = std::move(request);
  call->on_response = std::move(on_response);
  waiting_.push_back(call.get());
  return call;
}

std::unique_ptr<Call> FakeCalls::send(HttpCallRequest request, std::function<void(HttpCallResponse)> on_response) {
  sent.push_back(request);
  return add(std::move(request), std::move(on_response));
}

std::unique_ptr<Call> FakeCalls::after(std::chrono::milliseconds delay, std::function<void()> on_expiry) {
  if (clock != nullptr) return std::make_unique<worker::TimerCall>(*clock, delay, std::move(on_expiry));
  auto timer = add({}, [on_expiry = std::move(on_expiry)](HttpCallResponse) { on_expiry(); });
  timer->timer = true;
  return timer;
}

void FakeCalls::answer(HttpCallResponse response, size_t index) {
  Waiting* call = waiting_[index];
  waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(index));
  const auto on_response = std::move(call->on_response);  // the receiver may destroy the call
  on_response(std::move(response));
}

}  // namespace sluice::filter::testing
