// Lists of upstream HTTP filters: those of a cluster (HttpProtocolOptions.http_filters) and of a router
// (Router.upstream_http_filters). Thread: main.
#pragma once

#include <memory>

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "google/protobuf/repeated_field.h"
#include "source/config/services.h"
#include "source/filter/chain_config.h"

namespace sluice::config {

using HttpFilterList =
    google::protobuf::RepeatedPtrField<envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter>;

// The filters in front of the UpstreamCodec that has to end the list. Null: there are none, or something is wrong and
// was reported. `context` stands at the message that has the list as `field`; its owner is what stats begin with.
std::shared_ptr<const filter::ChainConfig> compileUpstreamFilters(const HttpFilterList& list, const char* field,
                                                                  const FactoryContext& context);

}  // namespace sluice::config
