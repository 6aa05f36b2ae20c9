#include "source/config/redis_options.h"

#include "envoy/extensions/filters/network/redis_proxy/v3/redis_proxy.pb.h"
#include "source/config/any_type.h"
#include "source/config/values.h"

namespace sluice::config {
namespace {

using envoy::extensions::filters::network::redis_proxy::v3::RedisProtocolOptions;

// Of the whole, or of one host: their fields have the same names.
template <typename Proto>
redis::Credentials compileCredentials(const Proto& proto, const Context& context) {
  redis::Credentials out;
  if (proto.has_auth_username()) {
    out.username = compileDataSource(proto.auth_username(), context.child("auth_username")).value_or("");
  }
  if (proto.has_auth_password()) {
    out.password = compileDataSource(proto.auth_password(), context.child("auth_password")).value_or("");
  }
  if (!out.username.empty() && out.password.empty()) {
    context.child("auth_username").error("says nothing without a password; set auth_password");
  }
  return out;
}

}  // namespace

std::shared_ptr<const upstream::cluster::RedisAuth> compileRedisOptions(const google::protobuf::Any& options,
                                                                        const Context& context) {
  const auto proto = unpackOnly<RedisProtocolOptions>(options, context);
  if (proto == nullptr) return nullptr;
  auto out = std::make_shared<upstream::cluster::RedisAuth>();
  out->all = compileCredentials(*proto, context);
  for (int i = 0; i < proto->credentials_size(); ++i) {
    const Context at = context.child("credentials", static_cast<size_t>(i));
    const auto address = compileAddress(proto->credentials(i).address(), at.child("address"));
    redis::Credentials credentials = compileCredentials(proto->credentials(i), at);
    if (address) out->by_address.emplace_back(*address, std::move(credentials));
  }
  return out;
}

}  // namespace sluice::config
