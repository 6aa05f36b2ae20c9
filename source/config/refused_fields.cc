#include "source/config/known_fields.h"

namespace sluice::config {
namespace {

struct Refusal {
  std::string_view message;  // as a suffix of its full name; empty: any
  std::string_view field;
  std::string_view why;
};

constexpr std::string_view kHttp3 =
    "is about HTTP/3, which is not spoken here; remove it, and serve the same clients and hosts by HTTP/2";
constexpr std::string_view kMetadataFrames =
    "is about METADATA frames, an extension that only Envoy speaks; they are passed over here, so remove it";

constexpr std::string_view kHeaderValidators =
    "is about a validator that Envoy's releases do not have; remove it, and write what it says into normalize_path, "
    "merge_slashes, path_with_escaped_slashes_action and common_http_protocol_options of the connection manager";

// What will not come, or is said elsewhere. Other fields are told to be not supported yet.
constexpr Refusal kRefusals[] = {
    {"", "http3_protocol_options", kHttp3},
    {"", "quic_protocol_options", kHttp3},
    {"", "quic_options", kHttp3},
    {"", "alternate_protocols_cache_options", kHttp3},
    {"HttpConnectionManager", "typed_header_validation_config", kHeaderValidators},
    {"HttpProtocolOptions", "header_validation_config", kHeaderValidators},
    {"HttpConnectionManager", "path_normalization_options",
     "has no effect in Envoy; remove it, and write what it says into normalize_path and merge_slashes"},
    {"RouteAction", "early_data_policy",
     "is about early data of TLS to hosts, which is never sent here; remove it, requests go out behind the handshake"},
    {"RedisProxy.ConnPoolSettings", "dns_cache_config",
     "would have host names in redirections looked up; only those to addresses are followed here, so remove it, and "
     "have the "
     "servers announce addresses (cluster-preferred-endpoint-type ip)"},
    {"OnDemandCds", "resources_locator",
     "names a collection of xdstp resources, which are not supported; remove it, and write where clusters come from "
     "into source"},
    {"Http2ProtocolOptions", "allow_metadata", kMetadataFrames},
    {"Http2ProtocolOptions", "max_metadata_size", kMetadataFrames},
};

}  // namespace

std::string whyRefused(std::string_view message, std::string_view field) {
  for (const Refusal& refusal : kRefusals) {
    if (refusal.field == field && message.ends_with(refusal.message)) return std::string(refusal.why);
  }
  return "is not supported here yet; remove it";
}

}  // namespace sluice::config
