#include "source/extensions/filters/network/ext_authz/filter.h"

#include <utility>

#include "source/extensions/filters/network/ext_authz/client.h"
#include "source/filter/connection_info.h"
#include "source/http/grpc.h"

namespace sluice::extensions::network_filters::ext_authz {

using filter::NetworkResult;
using filter::NetworkStream;

NetworkResult Filter::onNewConnection(NetworkStream& stream) {
  const stream::ConnectionStatePtr& state = stream.facts().state;
  if (settings_.enabled && !settings_.enabled->matches(state ? &state->metadata : nullptr)) {
    stream.cells().add(settings_.stats.disabled);
    return filter::Next{};
  }
  stream.cells().add(settings_.stats.total);
  stream.cells().add(settings_.stats.active);
  waits_ = true;
  filter::ConnectionInfo facts(stream);
  token_ = stream.resumeToken();
  call_.start(stream.calls(), settings_.service, kCheckPath, encodeCheck(facts.info(), settings_.told),
              [this, &stream](int status, std::string_view message) { answered(status, message, stream); });
  return filter::Pause{};
}

void Filter::settled(NetworkStream& stream) {
  if (std::exchange(waits_, false)) stream.cells().sub(settings_.stats.active);
}

void Filter::answered(int status, std::string_view message, NetworkStream& stream) {
  using namespace http::grpc;
  settled(stream);
  if (!token_) return;  // the connection is closing
  if (status != kOk) return failed(status == kInternal || status == kResourceExhausted, stream);
  std::optional<Decision> decision = decodeCheck(message);
  if (!decision) return failed(true, stream);
  for (stream::MetadataField& field : decision->metadata) {
    stream::madeIn(stream.facts().state)
        .metadata.set("envoy.filters.network.ext_authz", field.name, std::move(field.value));
  }
  if (decision->failed) return failed(false, stream);
  if (!decision->allowed) {
    stream.cells().add(settings_.stats.denied);
    return refuse("ext_authz_denied", stream);
  }
  stream.cells().add(settings_.stats.ok);
  token_.resume();
}

void Filter::failed(bool malformed, NetworkStream& stream) {
  stream.cells().add(settings_.stats.error);
  if (!settings_.failure_mode_allow || malformed) return refuse("ext_authz_error", stream);
  stream.cells().add(settings_.stats.failure_mode_allowed);
  token_.resume();
}

void Filter::refuse(std::string_view details, NetworkStream& stream) {
  stream.cells().add(settings_.stats.cx_closed);
  token_.close({details, {}, stream::ResponseFlag::kUnauthorizedExternalService});
}

}  // namespace sluice::extensions::network_filters::ext_authz
