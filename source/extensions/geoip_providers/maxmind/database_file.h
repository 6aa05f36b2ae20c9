// A database of which the newest readable version serves.
//
// Main reads, workers look up. One of each file and use in the process: a copy is large.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "source/extensions/geoip_providers/maxmind/database.h"
#include "source/observability/log.h"
#include "source/observability/stats.h"
#include "source/worker/exchanged.h"
#include "source/worker/services.h"

namespace sluice::extensions::geoip_providers::maxmind {

class DatabaseFile {
 public:
  struct Stats {
    observability::StatsScope scope;  // of the others
    observability::Counter reload_success, reload_error;
    observability::Gauge build_epoch;
    observability::StatsCells* cells;  // main's; null: nothing is counted
  };
  // `logger`: null says nothing.
  DatabaseFile(std::string path, Stats stats, observability::Logger* logger, const worker::LocalSlots& slots)
      : path_(std::move(path)), stats_(std::move(stats)), logger_(logger), database_(slots) {}

  // The first time. Main; so are the others but current().
  absl::Status read();
  // If the file is not what it was. One that cannot be used is told in the log, and what was read before stays.
  void readAgain();
  // Tells of changes for as long as this lives; null: nobody does.
  void setWatch(std::shared_ptr<const void> watch) { watch_ = std::move(watch); }

  // Valid until this worker asks again.
  const Database& current(worker::WorkerServices& worker) const { return *database_.get(worker); }

 private:
  // What tells versions of a file apart; nothing: there is none.
  using Version = std::optional<std::tuple<dev_t, ino_t, off_t, time_t, long>>;
  Version versionNow() const;
  absl::Status load();

  const std::string path_;
  const Stats stats_;
  observability::Logger* const logger_;
  Version seen_;
  worker::Exchanged<Database> database_;
  std::shared_ptr<const void> watch_;
};

}  // namespace sluice::extensions::geoip_providers::maxmind
