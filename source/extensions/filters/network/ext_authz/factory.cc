#include "source/extensions/filters/network/ext_authz/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/network/ext_authz/v3/ext_authz.pb.h"
#include "source/config/connection_filter_factory.h"
#include "source/config/grpc_service.h"
#include "source/config/route_texts.h"
#include "source/config/value_matchers.h"
#include "source/extensions/filters/network/ext_authz/filter.h"

namespace sluice::extensions::network_filters::ext_authz {
namespace {

using Proto = ::envoy::extensions::filters::network::ext_authz::v3::ExtAuthz;

constexpr std::chrono::milliseconds kDefaultTimeout{200};

Stats makeStats(const Proto& proto, const config::FactoryContext& context) {
  const std::string base = absl::StrCat("ext_authz.", proto.stat_prefix(), ".");
  const auto counter = [&](const char* name) { return context.stats->counter(base + name); };
  return {.total = counter("total"),
          .ok = counter("ok"),
          .denied = counter("denied"),
          .error = counter("error"),
          .disabled = counter("disabled"),
          .failure_mode_allowed = counter("failure_mode_allowed"),
          .cx_closed = counter("cx_closed"),
          .active = context.stats->gauge(base + "active")};
}

class Factory : public config::ConnectionFilterOf<Proto> {
 public:
  config::ConnectionFilterPtr makeFilter(const Proto& proto, const config::FactoryContext& context) const override {
    Settings settings;
    if (proto.has_grpc_service()) {
      auto service = config::compileGrpcService(proto.grpc_service(), context.child("grpc_service"));
      if (service && !proto.grpc_service().has_timeout()) service->timeout = kDefaultTimeout;
      if (service) settings.service = *std::move(service);
    } else {
      context.at.error("has no grpc_service; it is asked about each connection");
    }
    if (proto.transport_api_version() == envoy::config::core::v3::V2) {
      context.at.child("transport_api_version").error("V2 is gone; use V3");
    }
    const auto& namespaces = proto.metadata_context_namespaces();
    settings.told = {.peer_certificate = proto.include_peer_certificate(),
                     .tls_session = proto.include_tls_session(),
                     .namespaces = {namespaces.begin(), namespaces.end()}};
    if (proto.has_filter_enabled_metadata()) {
      config::Regexes regexes;
      settings.enabled = config::compileMetadataMatcher(proto.filter_enabled_metadata(),
                                                        context.at.child("filter_enabled_metadata"), regexes);
    }
    settings.failure_mode_allow = proto.failure_mode_allow();
    settings.stats = makeStats(proto, context);
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.connection_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::network_filters::ext_authz
