// `dns_failure_refresh_rate`, as clusters and DNS caches have it. Thread: main.
#pragma once

#include <chrono>

#include "source/config/errors.h"
#include "source/config/values.h"

namespace sluice::config {

// `proto`: what has the field; `context` stands at it. Where it is not set the intervals stay.
template <typename Proto>
void compileDnsFailureRate(const Proto& proto, const Context& context, std::chrono::milliseconds& base_interval,
                           std::chrono::milliseconds& max_interval) {
  if (!proto.has_dns_failure_refresh_rate()) return;
  const auto& rate = proto.dns_failure_refresh_rate();
  base_interval = compileMilliseconds(rate.base_interval());
  max_interval = rate.has_max_interval() ? compileMilliseconds(rate.max_interval()) : 10 * base_interval;
  if (max_interval < base_interval) {
    context.child("dns_failure_refresh_rate").error("max_interval must not be shorter than base_interval");
  }
}

}  // namespace sluice::config
