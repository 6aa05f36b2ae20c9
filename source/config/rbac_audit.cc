#include "source/config/rbac_audit.h"

#include <cstddef>

#include "envoy/extensions/rbac/audit_loggers/stream/v3/stream.pb.h"
#include "source/base/text.h"
#include "source/config/any_type.h"

namespace sluice::config {
namespace {

using Options = envoy::config::rbac::v3::RBAC::AuditLoggingOptions;
using Stdout = envoy::extensions::rbac::audit_loggers::stream::v3::StdoutAuditLog;

// What is optional may be left out only if nobody knows it.
bool isLeftOut(const Options::AuditLoggerConfig& logger) {
  return logger.is_optional() && !isKnownType(logger.audit_logger().typed_config());
}

void addLogger(const Options::AuditLoggerConfig& logger, const FactoryContext& context, filter::rbac::Audit& out) {
  if (isLeftOut(logger)) return;
  const Context at = context.at.child("audit_logger").child("typed_config");
  if (unpackOnly<Stdout>(logger.audit_logger().typed_config(), at) == nullptr) return;
  if (context.services.log_files == nullptr) return;
  auto file = context.services.log_files->open("/dev/stdout");
  if (!file.ok()) return at.error(base::toStd(file.status().message()));
  out.files.push_back(*std::move(file));
}

}  // namespace

std::shared_ptr<const filter::rbac::Audit> compileAudit(const Options& options, const FactoryContext& context) {
  filter::rbac::Audit out;
  const Options::AuditCondition condition = options.audit_condition();
  out.denials = condition == Options::ON_DENY || condition == Options::ON_DENY_AND_ALLOW;
  out.permissions = condition == Options::ON_ALLOW || condition == Options::ON_DENY_AND_ALLOW;
  for (int i = 0; i < options.logger_configs_size(); ++i) {
    addLogger(options.logger_configs(i), context.child("logger_configs", static_cast<size_t>(i)), out);
  }
  if (!out.denials && !out.permissions) return nullptr;
  if (options.logger_configs().empty()) {
    context.at.child("logger_configs").warn("is empty: nobody is told of what audit_condition asks for");
  }
  return out.files.empty() ? nullptr : std::make_shared<const filter::rbac::Audit>(std::move(out));
}

}  // namespace sluice::config
