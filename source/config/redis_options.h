// How hosts of a cluster let a Redis client in. Passwords are read now. Thread: main.
#pragma once

#include <memory>
#include <string_view>

#include "google/protobuf/any.pb.h"
#include "source/config/errors.h"
#include "source/upstream/cluster/redis_auth.h"

namespace sluice::config {

// Under which a cluster has them in typed_extension_protocol_options.
inline constexpr std::string_view kRedisOptionsKey = "envoy.filters.network.redis_proxy";

// Null after reporting to `context`.
std::shared_ptr<const upstream::cluster::RedisAuth> compileRedisOptions(const google::protobuf::Any& options,
                                                                        const Context& context);

}  // namespace sluice::config
