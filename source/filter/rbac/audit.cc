#include "source/filter/rbac/audit.h"

#include <array>

#include "source/stream/formatter.h"
#include "source/stream/time_format.h"

namespace sluice::filter::rbac {
namespace {

void add(std::string_view name, std::string_view value, std::string& out) {
  if (value.empty()) return;
  out.append("\"").append(name).append("\":\"");
  stream::appendJsonEscaped(value, out);
  out.append("\",");
}

// Of a client whose certificate was verified.
std::string_view principalOf(const Subject& subject) {
  const net::TlsInfo* const tls = subject.client();
  return tls == nullptr || !tls->peer_validated ? std::string_view() : tls->peer.principal();
}

std::string sourceOf(const Subject& subject) {
  if (subject.data.info != nullptr) return std::string(subject.data.info->downstream_remote_address);
  return subject.data.remote == nullptr ? std::string() : subject.data.remote->toString();
}

}  // namespace

std::string auditLine(const Subject& subject, std::string_view policy, bool allowed,
                      std::chrono::system_clock::time_point now) {
  std::array<char, stream::TimeFormat::kMaxSize> time;
  const char* const end = stream::TimeFormat::iso8601().write(now, time.data());
  std::string out = "{\"rbac_audit_log\":{";
  add("timestamp", {time.data(), static_cast<size_t>(end - time.data())}, out);
  if (subject.data.request != nullptr) add("method", subject.data.request->method, out);
  add("path", subject.path, out);
  add("principal", principalOf(subject), out);
  add("source", sourceOf(subject), out);
  add("matched_rule", policy, out);
  return out.append(allowed ? "\"authorized\":true}}\n" : "\"authorized\":false}}\n");
}

void Audit::tell(const Subject& subject, std::string_view policy, bool allowed, observability::LogSink& sink) const {
  const std::string line = auditLine(subject, policy, allowed, std::chrono::system_clock::now());
  for (const auto& file : files) sink.append(*file, line);
}

}  // namespace sluice::filter::rbac
