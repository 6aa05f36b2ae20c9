#include "source/xds/file_subscription.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sluice::xds {

FileSubscription::FileSubscription(Options options, Loader loader, ResourceWatcher& watcher, event::Loop& loop, Log log)
    : options_(std::move(options)),
      loader_(std::move(loader)),
      log_(std::move(log)),
      loop_(loop),
      machine_({options_.type, Variant::kSotw, options_.initial_fetch_timeout, options_.source}, watcher),
      deadline_timer_(loop.timers(), [this] {
        machine_.onTime(loop_.now());
        armDeadline();
      }) {}

FileSubscription::~FileSubscription() {
  watch_.reset();
  if (inotify_ >= 0) close(inotify_);
}

void FileSubscription::subscribe(std::string_view name, std::optional<std::chrono::milliseconds> fetch_timeout) {
  machine_.subscribe(name, loop_.now(), fetch_timeout);
  armDeadline();
  if (inotify_ >= 0) loop_.atTurnEnd(*this);
}

void FileSubscription::setInterest(const std::vector<std::string>& names) {
  machine_.setInterest(names, loop_.now());
  armDeadline();
  if (inotify_ >= 0) loop_.atTurnEnd(*this);
}

absl::Status FileSubscription::start() {
  if (absl::Status watching = openWatch(); !watching.ok()) return watching;
  return load();
}

absl::Status FileSubscription::startLater() {
  if (absl::Status watching = openWatch(); !watching.ok()) return watching;
  loop_.atTurnEnd(*this);
  return absl::OkStatus();
}

absl::Status FileSubscription::openWatch() {
  const size_t slash = options_.path.rfind('/');
  std::string directory = options_.watched_directory;
  if (directory.empty()) {
    directory = slash == std::string::npos ? "." : options_.path.substr(0, slash + 1);
    file_name_ = options_.path.substr(slash + 1);  // npos + 1 is 0
  }
  inotify_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify_ < 0 || inotify_add_watch(inotify_, directory.c_str(), IN_MOVED_TO | IN_ONLYDIR) < 0) {
    return absl::FailedPreconditionError(absl::StrCat("path_config_source: cannot watch ", directory, ": ",
                                                      strerror(errno), "; the directory must exist"));
  }
  watch_ = loop_.watch(inotify_, event::kReadable, event::Trigger::kLevel, *this);
  return absl::OkStatus();
}

void FileSubscription::onFdEvents(uint32_t) {
  if (readEvents()) reload();
}

// Reads what is there; whether it concerns the file.
bool FileSubscription::readEvents() {
  bool concerned = false;
  alignas(inotify_event) std::array<char, 4096> buffer;
  while (true) {
    const ssize_t length = read(inotify_, buffer.data(), buffer.size());
    if (length <= 0) return concerned;
    for (ssize_t offset = 0; offset < length;) {
      inotify_event event;
      memcpy(&event, buffer.data() + offset, sizeof(event));
      const char* name = buffer.data() + offset + sizeof(event);
      const bool lost = (event.mask & IN_Q_OVERFLOW) != 0;
      const bool moved = (event.mask & IN_MOVED_TO) != 0 && event.len > 0;
      if (lost || (moved && (file_name_.empty() || file_name_ == name))) concerned = true;
      offset += static_cast<ssize_t>(sizeof(event) + event.len);
    }
  }
}

void FileSubscription::reload() {
  if (absl::Status status = load(); !status.ok()) log_(std::string(status.message()));
}

absl::Status FileSubscription::load() {
  machine_.countAttempt();
  absl::StatusOr<envoy::service::discovery::v3::DiscoveryResponse> message = loader_(options_.path);
  if (!message.ok()) {
    machine_.countFailure();
    return absl::Status(message.status().code(),
                        absl::StrCat("path_config_source: ", std::string(message.status().message()),
                                     "; the last good version goes on serving"));
  }
  Response response = fromMessage(*std::move(message));
  response.type_url = std::string(options_.type.url);  // optional in a file; the type of each resource is checked
  machine_.onStreamStart(loop_.now());
  if (!machine_.interestDue()) return absl::OkStatus();  // nothing is wanted of it
  machine_.takeInterest();
  machine_.onResponse(std::move(response), loop_.now());
  while (machine_.busy()) machine_.step(loop_.now());
  const Request answer = machine_.takeAck();
  armDeadline();
  if (!answer.error) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("path_config_source: ", options_.path, ": ", answer.error->message));
}

void FileSubscription::armDeadline() {
  if (const std::optional<TimePoint> next = machine_.nextDeadline()) {
    deadline_timer_.armAt(*next);
  } else {
    deadline_timer_.cancel();
  }
}

}  // namespace sluice::xds
