#include "source/config/access_log_factory.h"

#include "source/config/access_log_filter.h"
#include "source/config/registry.h"

namespace sluice::config {

stream::AccessLogs compileAccessLogs(
    const google::protobuf::RepeatedPtrField<envoy::config::accesslog::v3::AccessLog>& logs,
    const FactoryContext& context) {
  stream::AccessLogs out;
  for (int i = 0; i < logs.size(); ++i) {
    FactoryContext typed = context.child("access_log", static_cast<size_t>(i)).child("typed_config");
    const auto match = context.services.registry.access_logs.resolve(logs[i].typed_config(), typed.at);
    if (!match) continue;
    std::shared_ptr<const stream::AccessLogFilter> filter;
    if (logs[i].has_filter()) {
      filter =
          compileAccessLogFilter(logs[i].filter(), context.child("access_log", static_cast<size_t>(i)).child("filter"));
    }
    auto log = match.factory->compile(*match.config, std::move(typed));
    if (log && filter) log = std::make_shared<stream::FilteredAccessLog>(std::move(filter), std::move(log));
    if (log) out.push_back(std::move(log));
  }
  return out;
}

}  // namespace sluice::config
