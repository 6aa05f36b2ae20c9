#include "source/xds/wire.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "source/base/duration.h"
#include "source/xds/resource_type.h"

namespace sluice::xds {
namespace {

using envoy::service::discovery::v3::DeltaDiscoveryRequest;
using envoy::service::discovery::v3::DeltaDiscoveryResponse;
using envoy::service::discovery::v3::DiscoveryRequest;
using envoy::service::discovery::v3::DiscoveryResponse;
using google::protobuf::Any;
using ResourceMessage = envoy::service::discovery::v3::Resource;

constexpr std::string_view kWrapperType = "envoy.service.discovery.v3.Resource";

void setDuration(std::chrono::milliseconds from, google::protobuf::Duration& to) {
  to.set_seconds(from.count() / 1000);
  to.set_nanos(static_cast<int32_t>(from.count() % 1000 * 1000000));
}

ResourceMessage toMessage(const Resource& resource) {
  ResourceMessage message;
  message.set_name(resource.name);
  message.set_version(resource.version);
  if (resource.body != nullptr) *message.mutable_resource() = *resource.body;
  if (resource.ttl) setDuration(*resource.ttl, *message.mutable_ttl());
  for (const std::string& alias : resource.aliases) message.add_aliases(alias);
  return message;
}

Resource fromMessage(ResourceMessage& message) {
  Resource resource;
  resource.name = std::move(*message.mutable_name());
  if (resource.name.empty()) resource.name = std::move(*message.mutable_resource_name()->mutable_name());
  resource.version = std::move(*message.mutable_version());
  if (message.has_resource()) {
    auto body = std::make_shared<Any>();
    body->Swap(message.mutable_resource());
    resource.body = std::move(body);
  }
  if (message.has_ttl()) {
    resource.ttl =
        std::max(base::millisecondsOf(message.ttl().seconds(), message.ttl().nanos()), std::chrono::milliseconds(0));
  }
  resource.aliases.assign(message.aliases().begin(), message.aliases().end());
  return resource;
}

// A state-of-the-world item: bare, or in the Resource wrapper. A wrapper that does not parse stays as it is, and the
// subscription refuses it for its type.
Resource fromItem(Any& item) {
  if (typeName(item.type_url()) == kWrapperType) {
    ResourceMessage wrapper;
    if (wrapper.ParseFromString(item.value())) return fromMessage(wrapper);
  }
  auto body = std::make_shared<Any>();
  body->Swap(&item);
  Resource resource;
  resource.body = std::move(body);
  return resource;
}

template <typename Message>
void setError(const std::optional<ErrorDetail>& error, Message& message) {
  if (!error) return;
  message.mutable_error_detail()->set_code(error->code);
  message.mutable_error_detail()->set_message(error->message);
}

// Node, type, nonce and error stand in both variants under the same names.
template <typename Message>
void setCommon(const Request& request, Message& message) {
  if (request.node != nullptr) *message.mutable_node() = *request.node;
  message.set_type_url(request.type_url);
  message.set_response_nonce(request.response_nonce);
  setError(request.error, message);
}

template <typename Message>
Request commonFrom(Message& message) {
  Request request;
  request.type_url = std::move(*message.mutable_type_url());
  request.response_nonce = std::move(*message.mutable_response_nonce());
  if (message.has_node()) {
    auto node = std::make_shared<envoy::config::core::v3::Node>();
    node->Swap(message.mutable_node());
    request.node = std::move(node);
  }
  if (message.has_error_detail()) {
    request.error = ErrorDetail{message.error_detail().code(), message.error_detail().message()};
  }
  return request;
}

// So do resource_errors in responses.
template <typename Message>
void setFailed(const Response& response, Message& message) {
  for (const FailedResource& failed : response.failed) {
    auto& error = *message.add_resource_errors();
    error.mutable_resource_name()->set_name(failed.name);
    error.mutable_error_detail()->set_code(failed.error.code);
    error.mutable_error_detail()->set_message(failed.error.message);
  }
}

template <typename Message>
std::vector<FailedResource> failedFrom(const Message& message) {
  std::vector<FailedResource> failed;
  failed.reserve(static_cast<size_t>(message.resource_errors_size()));
  for (const auto& error : message.resource_errors()) {
    failed.push_back({error.resource_name().name(), {error.error_detail().code(), error.error_detail().message()}});
  }
  return failed;
}

template <typename Strings>
std::vector<std::string> listFrom(const Strings& strings) {
  return {strings.begin(), strings.end()};
}

// Neutral form <-> bytes, by way of the messages of one variant.
template <typename RequestMessage, typename ResponseMessage, auto kToRequest, auto kToResponse>
class MessageEncoder final : public WireEncoder {
 public:
  std::string encode(const Request& request) const override { return kToRequest(request).SerializeAsString(); }
  std::string encode(const Response& response) const override { return kToResponse(response).SerializeAsString(); }

  absl::StatusOr<Request> decodeRequest(std::string_view bytes) const override {
    return decode<Request, RequestMessage>(bytes);
  }
  absl::StatusOr<Response> decodeResponse(std::string_view bytes) const override {
    return decode<Response, ResponseMessage>(bytes);
  }

 private:
  template <typename Neutral, typename Message>
  static absl::StatusOr<Neutral> decode(std::string_view bytes) {
    Message message;
    if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
        !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return absl::InvalidArgumentError(
          absl::StrCat(bytes.size(), " bytes are not a ", Message::descriptor()->full_name()));
    }
    return xds::fromMessage(std::move(message));
  }
};

DiscoveryRequest sotwRequest(const Request& request) {
  return toSotwMessage(request);
}
DiscoveryResponse sotwResponse(const Response& response) {
  return toSotwMessage(response);
}
DeltaDiscoveryRequest deltaRequest(const Request& request) {
  return toDeltaMessage(request);
}
DeltaDiscoveryResponse deltaResponse(const Response& response) {
  return toDeltaMessage(response);
}

using SotwEncoder = MessageEncoder<DiscoveryRequest, DiscoveryResponse, sotwRequest, sotwResponse>;
using DeltaEncoder = MessageEncoder<DeltaDiscoveryRequest, DeltaDiscoveryResponse, deltaRequest, deltaResponse>;

}  // namespace

DiscoveryRequest toSotwMessage(const Request& request) {
  DiscoveryRequest message;
  setCommon(request, message);
  message.set_version_info(request.version);
  for (const std::string& name : request.names) message.add_resource_names(name);
  return message;
}

DeltaDiscoveryRequest toDeltaMessage(const Request& request) {
  DeltaDiscoveryRequest message;
  setCommon(request, message);
  for (const std::string& name : request.subscribe) message.add_resource_names_subscribe(name);
  for (const std::string& name : request.unsubscribe) message.add_resource_names_unsubscribe(name);
  for (const auto& [name, version] : request.initial_versions) {
    (*message.mutable_initial_resource_versions())[name] = version;
  }
  return message;
}

DiscoveryResponse toSotwMessage(const Response& response) {
  DiscoveryResponse message;
  message.set_version_info(response.version);
  message.set_type_url(response.type_url);
  message.set_nonce(response.nonce);
  if (!response.control_plane.empty()) message.mutable_control_plane()->set_identifier(response.control_plane);
  for (const Resource& resource : response.resources) {
    Any& item = *message.add_resources();
    if (resource.body != nullptr && !resource.ttl) {
      item = *resource.body;
    } else {
      item.PackFrom(toMessage(resource));  // only the wrapper carries a TTL
    }
  }
  setFailed(response, message);
  return message;
}

DeltaDiscoveryResponse toDeltaMessage(const Response& response) {
  DeltaDiscoveryResponse message;
  message.set_system_version_info(response.version);
  message.set_type_url(response.type_url);
  message.set_nonce(response.nonce);
  if (!response.control_plane.empty()) message.mutable_control_plane()->set_identifier(response.control_plane);
  for (const Resource& resource : response.resources) *message.add_resources() = toMessage(resource);
  for (const std::string& name : response.removed) message.add_removed_resources(name);
  setFailed(response, message);
  return message;
}

Request fromMessage(DiscoveryRequest message) {
  Request request = commonFrom(message);
  request.version = std::move(*message.mutable_version_info());
  request.names = listFrom(message.resource_names());
  return request;
}

Request fromMessage(DeltaDiscoveryRequest message) {
  Request request = commonFrom(message);
  request.subscribe = listFrom(message.resource_names_subscribe());
  request.unsubscribe = listFrom(message.resource_names_unsubscribe());
  for (const auto& [name, version] : message.initial_resource_versions()) {
    request.initial_versions.emplace(name, version);
  }
  return request;
}

Response fromMessage(DiscoveryResponse message) {
  Response response;
  response.type_url = std::move(*message.mutable_type_url());
  response.version = std::move(*message.mutable_version_info());
  response.nonce = std::move(*message.mutable_nonce());
  response.control_plane = message.control_plane().identifier();
  response.resources.reserve(message.resources_size());
  for (Any& item : *message.mutable_resources()) response.resources.push_back(fromItem(item));
  response.failed = failedFrom(message);
  return response;
}

Response fromMessage(DeltaDiscoveryResponse message) {
  Response response;
  response.type_url = std::move(*message.mutable_type_url());
  response.version = std::move(*message.mutable_system_version_info());
  response.nonce = std::move(*message.mutable_nonce());
  response.control_plane = message.control_plane().identifier();
  response.resources.reserve(message.resources_size());
  for (ResourceMessage& resource : *message.mutable_resources()) response.resources.push_back(fromMessage(resource));
  response.removed = listFrom(message.removed_resources());
  for (const auto& removed : message.removed_resource_names()) response.removed.push_back(removed.name());
  response.failed = failedFrom(message);
  return response;
}

const WireEncoder& wireEncoder(Variant variant) {
  static const SotwEncoder sotw;
  static const DeltaEncoder delta;
  if (variant == Variant::kSotw) return sotw;
  return delta;
}

}  // namespace sluice::xds
