#include "source/extensions/filters/listener/tls_inspector/factory.h"

#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"
#include "source/config/listener_filter_factory.h"
#include "source/extensions/filters/listener/tls_inspector/filter.h"

namespace sluice::extensions::listener_filters::tls_inspector {
namespace {

using Proto = envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;

Settings compileSettings(const Proto& proto, observability::Scope& stats) {
  Settings settings;
  if (proto.has_max_client_hello_size()) settings.max_client_hello = proto.max_client_hello_size().value();
  settings.close_on_errors = proto.close_connection_on_client_hello_parsing_errors();
  settings.ja3 = proto.enable_ja3_fingerprinting().value();
  settings.ja4 = proto.enable_ja4_fingerprinting().value();
  settings.client_hello_too_large = stats.counter("tls_inspector.client_hello_too_large");
  settings.tls_found = stats.counter("tls_inspector.tls_found");
  settings.tls_not_found = stats.counter("tls_inspector.tls_not_found");
  settings.sni_found = stats.counter("tls_inspector.sni_found");
  settings.sni_not_found = stats.counter("tls_inspector.sni_not_found");
  settings.alpn_found = stats.counter("tls_inspector.alpn_found");
  settings.alpn_not_found = stats.counter("tls_inspector.alpn_not_found");
  return settings;
}

class Factory : public config::ListenerFilterConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const filter::ListenerFilter> compile(const google::protobuf::Message& message,
                                                        config::FactoryContext context) const override {
    return std::make_shared<Filter>(compileSettings(static_cast<const Proto&>(message), *context.stats));
  }
  bool findsServerName() const override { return true; }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.listener_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::listener_filters::tls_inspector
