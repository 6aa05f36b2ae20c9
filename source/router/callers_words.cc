#include "source/router/callers_words.h"

#include <iterator>

namespace sluice::router {
namespace {

constexpr std::string_view kNames[] = {"x-envoy-upstream-rq-timeout-ms",
                                       "x-envoy-upstream-rq-per-try-timeout-ms",
                                       "x-envoy-upstream-stream-duration-ms",
                                       "x-envoy-retry-on",
                                       "x-envoy-retry-grpc-on",
                                       "x-envoy-max-retries",
                                       "x-envoy-retriable-status-codes",
                                       "x-envoy-retriable-header-names",
                                       "x-envoy-hedge-on-per-try-timeout"};

}  // namespace

CallersWords::CallersWords(const http::RequestHeaders& head) {
  static_assert(std::size(kNames) == kWords);
  for (size_t i = 0; i < kWords; ++i) values_[i] = head.get(kNames[i]).value_or(std::string_view());
}

void CallersWords::putInto(http::RequestHeaders& head) const {
  for (size_t i = 0; i < kWords; ++i) {
    head.remove(kNames[i]);
    if (values_[i].data() != nullptr) head.add(kNames[i], values_[i]);
  }
}

}  // namespace sluice::router
