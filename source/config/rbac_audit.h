#pragma once

// RBAC.AuditLoggingOptions -> filter::rbac::Audit. For rbac_compiler.cc only.

#include <memory>

#include "envoy/config/rbac/v3/rbac.pb.h"
#include "source/config/services.h"
#include "source/filter/rbac/audit.h"

namespace sluice::config {

// Null: nobody is told, or an error. `context` stands at the options.
std::shared_ptr<const filter::rbac::Audit> compileAudit(
    const envoy::config::rbac::v3::RBAC::AuditLoggingOptions& options, const FactoryContext& context);

}  // namespace sluice::config
