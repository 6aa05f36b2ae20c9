#include "source/extensions/all.h"

#include "source/extensions/access_loggers/file/factory.h"
#include "source/extensions/access_loggers/stream/factory.h"
#include "source/extensions/filters/http/buffer/factory.h"
#include "source/extensions/filters/http/ext_authz/factory.h"
#include "source/extensions/filters/http/local_ratelimit/factory.h"
#include "source/extensions/filters/http/router/factory.h"
#include "source/extensions/filters/network/http_connection_manager/factory.h"

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
  filters::http::local_ratelimit::registerFactory(registry);
  filters::http::router::registerFactory(registry);
  filters::network::http_connection_manager::registerFactory(registry);
}

}  // namespace sluice::extensions
