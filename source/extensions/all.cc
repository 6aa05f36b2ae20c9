#include "source/extensions/all.h"

#include "source/extensions/access_loggers/file/factory.h"
#include "source/extensions/access_loggers/stream/factory.h"
#include "source/extensions/clusters/eds/factory.h"
#include "source/extensions/clusters/original_dst/factory.h"
#include "source/extensions/clusters/static_cluster/factory.h"
#include "source/extensions/clusters/strict_dns/factory.h"
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
#include "source/extensions/load_balancing_policies/least_request/factory.h"
#include "source/extensions/load_balancing_policies/random/factory.h"
#include "source/extensions/load_balancing_policies/round_robin/factory.h"
#include "source/extensions/transport_sockets/proxy_protocol/factory.h"
#include "source/extensions/transport_sockets/raw_buffer/factory.h"
#include "source/extensions/transport_sockets/tls/factory.h"

namespace sluice::extensions {
void registerAll(config::Registry& registry) {
  access_loggers::file::registerFactory(registry);
  access_loggers::stream::registerFactory(registry);
  clusters::eds::registerFactory(registry);
  clusters::original_dst::registerFactory(registry);
  clusters::static_cluster::registerFactory(registry);
  clusters::strict_dns::registerFactory(registry);
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
  load_balancing_policies::least_request::registerFactory(registry);
  load_balancing_policies::random::registerFactory(registry);
  load_balancing_policies::round_robin::registerFactory(registry);
  transport_sockets::proxy_protocol::registerFactory(registry);
  transport_sockets::raw_buffer::registerFactory(registry);
  transport_sockets::tls::registerFactories(registry);
}

}  // namespace sluice::extensions
