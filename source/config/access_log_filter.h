// Which entries an access log gets. Thread: main; what is made is immutable. Run after validate(); errors go to the
// context, which stands at the filter.
#pragma once

#include <memory>

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "source/config/services.h"
#include "source/stream/access_log.h"

namespace sluice::config {

// Null after an error.
std::shared_ptr<const stream::AccessLogFilter> compileAccessLogFilter(
    const envoy::config::accesslog::v3::AccessLogFilter& filter, const FactoryContext& context);

}  // namespace sluice::config
