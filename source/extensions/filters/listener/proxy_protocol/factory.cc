#include "source/extensions/filters/listener/proxy_protocol/factory.h"

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol.pb.h"
#include "sluice/extensions/filters/listener/proxy_protocol/v1/trusted_proxy_protocol.pb.h"
#include "source/config/listener_filter_factory.h"
#include "source/config/metadata_namespace.h"
#include "source/config/proxy_tlvs.h"
#include "source/config/values.h"
#include "source/extensions/filters/listener/proxy_protocol/filter.h"

namespace sluice::extensions::listener_filters::proxy_protocol {
namespace {

using envoy::config::core::v3::ProxyProtocolConfig;
using Proto = envoy::extensions::filters::listener::proxy_protocol::v3::ProxyProtocol;
using TrustedProto = sluice::extensions::filters::listener::proxy_protocol::v1::TrustedProxyProtocol;

Settings compileSettings(const Proto& proto, observability::Scope& stats, const config::Context& at) {
  Settings settings;
  settings.allow_without = proto.allow_requests_without_proxy_protocol();
  for (const int version : proto.disallowed_versions()) {
    settings.disallowed[version == ProxyProtocolConfig::V1 ? 1 : 2] = true;
  }
  if (proto.has_pass_through_tlvs()) settings.kept = config::compileTlvTypes(proto.pass_through_tlvs());
  using Pair = Proto::KeyValuePair;
  for (int i = 0; i < proto.rules_size(); ++i) {
    const Proto::Rule& rule = proto.rules(i);
    if (!rule.has_on_tlv_present()) continue;
    const Pair& pair = rule.on_tlv_present();
    config::checkMetadataNamespace(
        pair.metadata_namespace(),
        at.child("rules", static_cast<size_t>(i)).child("on_tlv_present").child("metadata_namespace"));
    settings.rules.push_back(
        {static_cast<uint8_t>(rule.tlv_type()),
         pair.metadata_namespace().empty() ? "envoy.filters.listener.proxy_protocol" : pair.metadata_namespace(),
         pair.key(), pair.value_string_encoding() == Pair::BASE64});
  }
  const std::string base = absl::StrCat("proxy_proto.", proto.stat_prefix(), proto.stat_prefix().empty() ? "" : ".");
  auto counter = [&](std::string_view name) { return stats.counter(absl::StrCat(base, std::string(name))); };
  for (const int version : {1, 2}) {
    const std::string of = absl::StrCat("versions.v", version, ".");
    settings.found[version] = counter(of + "found");
    settings.malformed[version] = counter(of + "error");
    settings.refused[version] = counter(of + "disallowed");
  }
  settings.not_found_allowed = counter("not_found_allowed");
  settings.not_found_disallowed = counter("not_found_disallowed");
  return settings;
}

class Factory : public config::ListenerFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message& message,
                                                        config::FactoryContext context) const override {
    return std::make_shared<Filter>(compileSettings(static_cast<const Proto&>(message), *context.stats, context.at));
  }
};

class TrustedFactory : public config::ListenerFilterConfigFactory {
 public:
  std::string_view configType() const override { return TrustedProto::descriptor()->full_name(); }
  std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message& message,
                                                        config::FactoryContext context) const override {
    const auto& proto = static_cast<const TrustedProto&>(message);
    Settings settings = compileSettings(proto.proxy_protocol(), *context.stats, context.at.child("proxy_protocol"));
    settings.only_trusted = true;
    const std::string& prefix = proto.proxy_protocol().stat_prefix();
    settings.untrusted =
        context.stats->counter(absl::StrCat("proxy_proto.", prefix, prefix.empty() ? "" : ".", "untrusted_peer"));
    settings.trusted = config::compileCidrs(proto.trusted_peers(), "trusted_peers", context.at);
    return std::make_shared<Filter>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.listener_filters.add(std::make_unique<Factory>());
  registry.listener_filters.add(std::make_unique<TrustedFactory>());
}

}  // namespace sluice::extensions::listener_filters::proxy_protocol
