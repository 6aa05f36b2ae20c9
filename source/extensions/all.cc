#include "source/extensions/all.h"

#include "source/extensions/access_loggers/file/factory.h"
#include "source/extensions/access_loggers/stream/factory.h"
#include "source/extensions/filters/http/buffer/factory.h"
#include "source/extensions/filters/http/ext_authz/factory.h"
#include "source/extensions/filters/http/ext_proc/factory.h"
#include "source/extensions/filters/http/grpc_stats/factory.h"
#include "source/extensions/filters/http/grpc_web/factory.h"
#include "source/extensions/filters/http/local_ratelimit/factory.h"
#include "source/extensions/filters/http/ratelimit/factory.h"
#include "source/extensions/filters/http/router/factory.h"
#include "source/extensions/filters/listener/http_inspector/factory.h"
#include "source/extensions/filters/listener/original_dst/factory.h"
#include "source/extensions/filters/listener/proxy_protocol/factory.h"
#include "source/extensions/filters/listener/tls_inspector/factory.h"
#include "source/extensions/filters/network/connection_limit/factory.h"
#include "source/extensions/filters/network/direct_response/factory.h"
#include "source/extensions/filters/network/echo/factory.h"
#include "source/extensions/filters/network/http_connection_manager/factory.h"
#include "source/extensions/filters/network/local_ratelimit/factory.h"
#include "source/extensions/filters/network/rbac/factory.h"
#include "source/extensions/filters/network/sni_cluster/factory.h"
#include "source/extensions/filters/network/tcp_proxy/factory.h"
#include "source/extensions/filters/udp/udp_proxy/factory.h"
#include "source/extensions/transport_sockets/proxy_protocol/factory.h"
#include "source/extensions/transport_sockets/raw_buffer/factory.h"
#include "source/extensions/transport_sockets/tls/factory.h"

namespace sluice::extensions {
namespace {

// The access loggers' own functions under the interface of the registry.
template <typename Proto, auto kMake>
class AccessLogFactory : public config::AccessLogConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const stream::AccessLog> compile(const google::protobuf::Message& message,
                                                   const config::Context& context,
                                                   config::Services& services) const override {
    auto log = kMake(static_cast<const Proto&>(message), services.log_files);
    if (log.ok()) return *std::move(log);
    context.error(std::string(log.status().message()));
    return nullptr;
  }
};

template <typename Proto>
auto makeStreamLog(const Proto& proto, observability::LogFiles* files) {
  return access_loggers::stream::makeAccessLog(proto, files);
}

}  // namespace

void registerAll(config::Registry& registry) {
  namespace file = envoy::extensions::access_loggers::file::v3;
  namespace stream = envoy::extensions::access_loggers::stream::v3;
  registry.access_logs.add(
      std::make_unique<AccessLogFactory<file::FileAccessLog, &access_loggers::file::makeAccessLog>>());
  registry.access_logs.add(
      std::make_unique<AccessLogFactory<stream::StdoutAccessLog, &makeStreamLog<stream::StdoutAccessLog>>>());
  registry.access_logs.add(
      std::make_unique<AccessLogFactory<stream::StderrAccessLog, &makeStreamLog<stream::StderrAccessLog>>>());
  filters::http::buffer::registerFactory(registry);
  filters::http::ext_authz::registerFactory(registry);
  filters::http::ext_proc::registerFactory(registry);
  filters::http::grpc_stats::registerFactory(registry);
  filters::http::grpc_web::registerFactory(registry);
  filters::http::local_ratelimit::registerFactory(registry);
  filters::http::ratelimit::registerFactory(registry);
  filters::http::router::registerFactory(registry);
  filters::listener::http_inspector::registerFactory(registry);
  filters::listener::original_dst::registerFactory(registry);
  filters::listener::proxy_protocol::registerFactory(registry);
  filters::listener::tls_inspector::registerFactory(registry);
  filters::network::http_connection_manager::registerFactory(registry);
  filters::network::connection_limit::registerFactory(registry);
  filters::network::direct_response::registerFactory(registry);
  filters::network::echo::registerFactory(registry);
  filters::network::local_ratelimit::registerFactory(registry);
  filters::network::sni_cluster::registerFactory(registry);
  filters::network::rbac::registerFactory(registry);
  filters::network::tcp_proxy::registerFactory(registry);
  filters::udp::udp_proxy::registerFactory(registry);
  transport_sockets::proxy_protocol::registerFactory(registry);
  transport_sockets::raw_buffer::registerFactory(registry);
  transport_sockets::tls::registerFactories(registry);
}

}  // namespace sluice::extensions
