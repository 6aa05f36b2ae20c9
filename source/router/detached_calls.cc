#include "source/router/detached_calls.h"

#include <chrono>
#include <utility>

namespace sluice::router {
namespace {

constexpr std::chrono::milliseconds kDefaultTimeout{15'000};

}  // namespace

bool DetachedCalls::send(filter::HttpCallRequest request) {
  if (under_way_.size() >= filter::Calls::kMaxDetached) return false;
  if (request.timeout.count() == 0) request.timeout = kDefaultTimeout;
  const auto place = under_way_.emplace(under_way_.end());
  *place = calls_.send(std::move(request), [this, place](const filter::HttpCallResponse&) { under_way_.erase(place); });
  return true;
}

}  // namespace sluice::router
