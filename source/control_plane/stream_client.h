// For tests: resources of a few words, and a client on one stream with a clock that only the test moves.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "source/control_plane/stream_state.h"

namespace sluice::control_plane {

using Names = std::vector<std::string>;

inline ResourcePtr resource(ResourceType type, std::string name, std::string content = "1") {
  return makeResource({.type = type, .name = name, .bytes = name + content});
}
inline ResourcePtr cluster(std::string name, std::string content = "1") {
  return resource(ResourceType::kCluster, std::move(name), std::move(content));
}
// A cluster that cannot be used without a resource of the type, of its own name if no other is given.
inline ResourcePtr needing(std::string name, ResourceType type, std::string needed = {}) {
  if (needed.empty()) needed = name;
  return makeResource(
      {.type = ResourceType::kCluster, .name = name, .bytes = name + needed, .needs = {{type, needed}}});
}
inline ResourcePtr endpoints(std::string name, std::string content = "1") {
  return resource(ResourceType::kEndpoints, std::move(name), std::move(content));
}
inline ResourcePtr route(std::string name, std::string content = "1") {
  return resource(ResourceType::kRoute, std::move(name), std::move(content));
}
inline ResourcePtr listener(std::string name, Names addresses = {}) {
  return makeResource({.type = ResourceType::kListener, .name = name, .bytes = name, .addresses = addresses});
}
inline ResourcePtr apiListener(std::string name) {
  return makeResource({.type = ResourceType::kListener, .name = name, .bytes = name, .api_listener = true});
}

inline SnapshotPtr snapshot(std::vector<ResourcePtr> resources) {
  return std::make_shared<const Snapshot>(resources);
}

inline Names namesOf(const Response& response) {
  Names names;
  for (const ResourcePtr& resource : response.resources) names.push_back(resource->name);
  return names;
}

// A client on one stream, with a clock that only the test moves.
struct Client {
  explicit Client(Variant variant) : stream(variant, proxy) {}
  Client(Variant variant, SnapshotPtr first) : Client(variant) { serve(std::move(first)); }

  void serve(SnapshotPtr next) { proxy.setSnapshot(std::move(next), now); }
  std::optional<Response> next() { return stream.next(now); }
  void ask(ResourceType type, Names names = {}, std::string nonce = {}) {
    Request request{.type = type, .nonce = nonce, .names = names};
    if (stream.variant() == Variant::kDelta) {
      request.names.clear();
      request.subscribe = names;
    }
    stream.onRequest(request, now);
  }
  void unsubscribe(ResourceType type, Names names) {
    stream.onRequest({.type = type, .unsubscribe = std::move(names)}, now);
  }
  void ack(const Response& response, Names names = {}) {
    stream.onRequest({.type = response.type, .nonce = response.nonce, .version = response.version, .names = names},
                     now);
  }
  void nack(const Response& response, std::string error, Names names = {}) {
    stream.onRequest({.type = response.type, .nonce = response.nonce, .error = error, .names = names}, now);
  }
  // Takes and acknowledges whatever comes; the responses in order.
  std::vector<Response> settle(std::map<ResourceType, Names> interest = {}) {
    std::vector<Response> all;
    while (auto response = next()) {
      ack(*response, stream.variant() == Variant::kStateOfTheWorld ? interest[response->type] : Names{});
      all.push_back(*std::move(response));
    }
    return all;
  }

  TimePoint now{};
  Proxy proxy;
  StreamState stream;
};

inline constexpr ResourceType kCluster = ResourceType::kCluster;
inline constexpr ResourceType kEndpoints = ResourceType::kEndpoints;
inline constexpr ResourceType kListener = ResourceType::kListener;
inline constexpr ResourceType kRoute = ResourceType::kRoute;
inline constexpr ResourceType kSecret = ResourceType::kSecret;

}  // namespace sluice::control_plane
