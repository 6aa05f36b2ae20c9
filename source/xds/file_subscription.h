// A subscription to a file that holds a DiscoveryResponse (path_config_source): read at start, and again whenever
// something is moved onto the path, or anything is moved inside `watched_directory` (a Kubernetes ConfigMap). Writing
// in place is not seen, as half a file would be.
//
// The rules for resources are those of a stream: bytes compared, bad ones refused by name, the last good version stays.
// A file that cannot be read or parsed changes nothing; it is counted and logged. Main thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "source/event/loop.h"
#include "source/xds/subscription_machine.h"

namespace sluice::xds {

class FileSubscription : private event::FdHandler, private event::TurnTask {
 public:
  struct Options {
    TypeInfo type;
    std::string path;
    std::string watched_directory;  // empty: the path's own directory, and moves onto the path only
    std::chrono::milliseconds initial_fetch_timeout{15000};
    std::string source = {};  // as in Update
  };
  // Reads and parses by suffix (YAML, JSON, binary); the loader is source/config's.
  using Loader =
      std::function<absl::StatusOr<envoy::service::discovery::v3::DiscoveryResponse>(const std::string& path)>;
  using Log = std::function<void(const std::string&)>;

  // Watcher and loop outlive it.
  FileSubscription(Options options, Loader loader, ResourceWatcher& watcher, event::Loop& loop, Log log);
  ~FileSubscription() override;

  // The names that are wanted of the file, or "*". After start() it is read again at the end of the turn.
  // `fetch_timeout` stands in for initial_fetch_timeout.
  void subscribe(std::string_view name, std::optional<std::chrono::milliseconds> fetch_timeout = {});
  void unsubscribe(std::string_view name) { machine_.unsubscribe(name); }
  void setInterest(const std::vector<std::string>& names);
  bool wants(std::string_view name) const { return machine_.wants(name); }
  bool wantsAny() const { return machine_.wantsAny(); }

  // Watches and reads. Errors: the directory cannot be watched, or the file cannot be read or parsed; in the latter
  // case it is watched all the same, and a good file that is moved there is taken.
  absl::Status start();
  // Watches only; the file is read at the end of the turn. Errors: the directory cannot be watched.
  absl::Status startLater();

  SubscriptionStats stats() const { return machine_.stats(); }
  std::vector<Verdict> verdicts() const { return machine_.verdicts(); }
  const std::string& path() const { return options_.path; }

 private:
  void onFdEvents(uint32_t events) override;
  void runAtTurnEnd() override { reload(); }
  absl::Status openWatch();
  bool readEvents();
  absl::Status load();
  void reload();
  void armDeadline();

  const Options options_;
  const Loader loader_;
  const Log log_;
  event::Loop& loop_;
  SubscriptionMachine machine_;
  event::Timer deadline_timer_;
  std::string file_name_;  // the move to look for; empty: any
  int inotify_ = -1;
  std::unique_ptr<event::FdWatch> watch_;
};

}  // namespace sluice::xds
