// Files of consumers, and what is configured of filters that know them. (proto: sluice.credentials.v1.Consumers)
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "envoy/config/core/v3/base.pb.h"
#include "source/config/services.h"
#include "source/filter/credentials/consumer_gate.h"
#include "source/filter/credentials/consumers.h"
#include "source/worker/exchanged.h"

namespace sluice::config {

using ConsumersPtr = std::shared_ptr<const worker::Exchanged<filter::Consumers>>;

struct ConsumersConfig {
  const char* filter;  // "key_auth": of stats and the log. Static storage, and so is:
  const envoy::config::core::v3::DataSource& source;
  const std::string& anonymous;  // empty: nobody
};

// The file, followed if it is to be; its reload_success and reload_failure are counted under "OWNER.FILTER.". Null
// after reporting to `context`, which stands at `source`; what is wrong with the file, with places in it.
ConsumersPtr compileConsumers(const ConsumersConfig& config, const FactoryContext& context);

// `consumers`, null too, with counters "OWNER.FILTER.{allowed,anonymous,unauthorized,forbidden}". `forward_header`: in
// lower case.
filter::ConsumerGate makeConsumerGate(const char* filter, ConsumersPtr consumers, std::string forward_header,
                                      std::string_view expired_details, const FactoryContext& context);

}  // namespace sluice::config
