// Tells of decisions, each by one line of JSON in a log. (proto: envoy.config.rbac.v3.RBAC.AuditLoggingOptions)
//
//   {"rbac_audit_log":{"timestamp":"2024-01-02T03:04:05.678Z","method":"GET","path":"/a","principal":"spiffe://a/b",
//    "source":"10.0.0.1:4000","matched_rule":"admins","authorized":true}}
//
// What a place does not have is left out; the path is without query, which may have secrets. Immutable, used by all
// workers.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/filter/rbac/rules.h"
#include "source/observability/log_file.h"

namespace sluice::filter::rbac {

struct Audit {
  bool denials = false, permissions = false;  // which decisions are told
  std::vector<std::shared_ptr<const observability::LogFile>> files;

  bool wants(bool allowed) const { return allowed ? permissions : denials; }
  // `policy`: that matched; empty: none did.
  void tell(const Subject& subject, std::string_view policy, bool allowed, observability::LogSink& sink) const;
};

// The line, with its end.
std::string auditLine(const Subject& subject, std::string_view policy, bool allowed,
                      std::chrono::system_clock::time_point now);

}  // namespace sluice::filter::rbac
