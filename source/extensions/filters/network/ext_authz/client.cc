#include "source/extensions/filters/network/ext_authz/client.h"

#include "envoy/service/auth/v3/external_auth.pb.h"

namespace sluice::extensions::network_filters::ext_authz {

namespace v3 = envoy::service::auth::v3;

std::string encodeCheck(const stream::StreamInfo& info, const filter::ConnectionTold& told) {
  v3::CheckRequest out;
  filter::writeConnection(info, told, *out.mutable_attributes());
  return out.SerializeAsString();
}

std::optional<Decision> decodeCheck(std::string_view message) {
  v3::CheckResponse proto;
  if (!proto.ParseFromArray(message.data(), static_cast<int>(message.size()))) return std::nullopt;
  const bool allowed = proto.status().code() == 0;
  // A refusal that calls itself OK is no permission.
  if (allowed && (proto.has_denied_response() || proto.has_error_response())) return std::nullopt;
  return Decision{allowed, proto.has_error_response(), filter::readStruct(proto.dynamic_metadata())};
}

}  // namespace sluice::extensions::network_filters::ext_authz
