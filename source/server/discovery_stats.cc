#include "source/server/discovery_stats.h"

#include <chrono>
#include <utility>

namespace sluice::server {

namespace {

int64_t nowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// FNV-1a, as a number that no reader takes for a negative one. The same version is the same number in each process.
int64_t numberOf(std::string_view version) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : version) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return static_cast<int64_t>(hash >> 1);
}

}  // namespace

DiscoveryStats::DiscoveryStats(Of of, observability::Scope scope, observability::StatsCells& cells)
    : scope_(std::move(scope)),
      cells_(cells),
      attempt_(scope_.counter("update_attempt")),
      success_(scope_.counter("update_success")),
      rejected_(scope_.counter("update_rejected")),
      failure_(scope_.counter("update_failure")),
      fetch_timeout_(scope_.counter("init_fetch_timeout")),
      empty_(scope_.counter("update_empty")),
      update_time_(scope_.gauge("update_time")),
      version_(scope_.gauge("version")) {
  if (of == Of::kEndpoints) {
    no_rebuild_ = scope_.counter("update_no_rebuild");
    timeout_received_ = scope_.counter("assignment_timeout_received");
    stale_ = scope_.counter("assignment_stale");
  } else {
    config_reload_ = scope_.counter("config_reload");
    config_reload_time_ = scope_.gauge("config_reload_time_ms");
  }
}

void DiscoveryStats::accepted(std::string_view version, bool changed) {
  count(success_);
  const int64_t now = nowMs();
  cells_.set(update_time_, now);
  cells_.set(version_, numberOf(version));
  if (!changed) return cells_.add(no_rebuild_);
  cells_.add(config_reload_);
  cells_.set(config_reload_time_, now);
}

void DiscoveryStats::failed(uint64_t times) {
  if (times > 0) count(failure_, times);
}

}  // namespace sluice::server
