// What goes over an xDS stream, free of the variant: one neutral request and response, and one encoder for
// state-of-the-world and one for delta that turn them into bytes and back. Client and control plane share them.
//
// Values only: any thread. Resource bodies are shared and immutable; they are never copied by a subscription.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace sluice::xds {

enum class Variant : uint8_t { kSotw, kDelta };

// The name that means "everything" in an interest (listeners and clusters only).
inline constexpr std::string_view kWildcard = "*";

// One resource on its way.
struct Resource {
  std::string name;     // empty when the wire does not tell: state-of-the-world without the wrapper
  std::string version;  // delta, or wrapped; otherwise empty: the response's version counts
  std::shared_ptr<const google::protobuf::Any> body;  // null: a heartbeat, or "this alias has nothing"
  std::optional<std::chrono::milliseconds> ttl;
  std::vector<std::string> aliases;
};

// The `error_detail` of a NACK: a google.rpc.Status without details.
struct ErrorDetail {
  int code = 13;  // INTERNAL, what Envoy sends
  std::string message;
};

// What a server has an error of instead of a resource (`resource_errors`).
struct FailedResource {
  std::string name;
  ErrorDetail error;  // its code is a google.rpc.Code
};

// A DiscoveryRequest or DeltaDiscoveryRequest. Each variant uses some of the fields; an encoder ignores the others.
struct Request {
  std::string type_url;
  std::shared_ptr<const envoy::config::core::v3::Node> node;  // null: not in this message
  std::string response_nonce;
  std::optional<ErrorDetail> error;  // present: a NACK

  // State-of-the-world: the last accepted version and the whole interest.
  std::string version;
  std::vector<std::string> names;

  // Delta: the change of interest, and what is held when a stream is made again.
  std::vector<std::string> subscribe;
  std::vector<std::string> unsubscribe;
  std::map<std::string, std::string> initial_versions;
};

// A DiscoveryResponse or DeltaDiscoveryResponse.
struct Response {
  std::string type_url;
  std::string version;  // delta: system_version_info, for people only
  std::string nonce;
  std::vector<Resource> resources;
  std::vector<std::string> removed;  // delta only
  std::vector<FailedResource> failed;
  std::string control_plane;  // control_plane.identifier
};

class WireEncoder {
 public:
  virtual ~WireEncoder() = default;
  virtual std::string encode(const Request& request) const = 0;
  virtual std::string encode(const Response& response) const = 0;
  // Errors: bytes that are not such a message.
  virtual absl::StatusOr<Request> decodeRequest(std::string_view bytes) const = 0;
  virtual absl::StatusOr<Response> decodeResponse(std::string_view bytes) const = 0;
};

// Stateless; lives for ever.
const WireEncoder& wireEncoder(Variant variant);

// The same on messages, for a server that has generated stubs and for files. Bodies are moved out of the argument.
envoy::service::discovery::v3::DiscoveryRequest toSotwMessage(const Request& request);
envoy::service::discovery::v3::DeltaDiscoveryRequest toDeltaMessage(const Request& request);
envoy::service::discovery::v3::DiscoveryResponse toSotwMessage(const Response& response);
envoy::service::discovery::v3::DeltaDiscoveryResponse toDeltaMessage(const Response& response);
Request fromMessage(envoy::service::discovery::v3::DiscoveryRequest message);
Request fromMessage(envoy::service::discovery::v3::DeltaDiscoveryRequest message);
Response fromMessage(envoy::service::discovery::v3::DiscoveryResponse message);
Response fromMessage(envoy::service::discovery::v3::DeltaDiscoveryResponse message);

}  // namespace sluice::xds
