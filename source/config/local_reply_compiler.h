// What a connection manager makes of answers that are made here, from its configuration. Thread: main; what is made is
// immutable. Run after validate(); errors go to the context.
#pragma once

#include <memory>

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "source/config/services.h"
#include "source/filter/local_reply.h"

namespace sluice::config {

// `context` stands at the configuration.
std::shared_ptr<const filter::ReplyMapper> compileLocalReply(
    const envoy::extensions::filters::network::http_connection_manager::v3::LocalReplyConfig& config,
    const FactoryContext& context);

}  // namespace sluice::config
