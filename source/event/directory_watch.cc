#include "source/event/directory_watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "source/base/text.h"

namespace sluice::event {
namespace {

// Long enough to see the files of one swap together, short enough not to be felt.
constexpr std::chrono::milliseconds kSettleTime{2};

constexpr uint32_t kFileEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE;
constexpr uint32_t kSelfEvents = IN_DELETE_SELF | IN_MOVE_SELF;
constexpr uint32_t kPathEvents = IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;

}  // namespace

absl::StatusOr<std::unique_ptr<DirectoryWatch>> DirectoryWatch::start(const std::string& directory, Loop& loop,
                                                                      std::function<void()> on_change) {
  std::error_code error;
  std::string absolute = std::filesystem::absolute(directory, error).lexically_normal().string();
  if (error) return absl::InternalError(base::strCat("cannot tell the path of ", directory, ": ", error.message()));
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) return absl::InternalError(base::strCat("inotify_init1: ", std::strerror(errno)));
  std::unique_ptr<DirectoryWatch> watch(new DirectoryWatch(std::move(absolute), fd, loop, std::move(on_change)));
  if (absl::Status status = watch->watchAll(); !status.ok()) return status;
  return watch;
}

DirectoryWatch::DirectoryWatch(std::string directory, int fd, Loop& loop, std::function<void()> on_change)
    : directory_(std::move(directory)),
      fd_(fd),
      on_change_(std::move(on_change)),
      settle_(loop.timers(), [this] { on_change_(); }),
      readable_(loop.watch(fd, kReadable, Trigger::kLevel, *this)) {}

DirectoryWatch::~DirectoryWatch() {
  readable_.reset();
  close(fd_);
}

// The directory, and each directory above it for the one name that leads here: any of them may be a link that moves.
absl::Status DirectoryWatch::watchAll() {
  const int descriptor =
      inotify_add_watch(fd_, directory_.c_str(), kFileEvents | kSelfEvents | IN_ONLYDIR | IN_MASK_ADD);
  if (descriptor != directory_descriptor_ && directory_descriptor_ >= 0) inotify_rm_watch(fd_, directory_descriptor_);
  directory_descriptor_ = descriptor;
  const int reason = errno;
  ancestors_.clear();
  std::filesystem::path path(directory_);
  while (path.has_relative_path()) {
    const std::filesystem::path parent = path.parent_path();
    const int above = inotify_add_watch(fd_, parent.c_str(), kPathEvents | IN_MASK_ADD);
    if (above >= 0) ancestors_.emplace(above, path.filename().string());
    path = parent;
  }
  if (descriptor < 0)
    return absl::NotFoundError(base::strCat("cannot watch ", directory_, ": ", std::strerror(reason)));
  return absl::OkStatus();
}

void DirectoryWatch::onFdEvents(uint32_t) {
  alignas(inotify_event) std::array<char, 16384> buffer;
  bool changed = false;
  for (;;) {
    const ssize_t size = read(fd_, buffer.data(), buffer.size());
    if (size <= 0) break;
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const char* name = event.len > 0 ? buffer.data() + at + sizeof(event) : "";
      changed = concerns(event.wd, event.mask, name) || changed;
      at += static_cast<ssize_t>(sizeof(event)) + event.len;
    }
  }
  if (changed && !settle_.armed()) settle_.arm(kSettleTime);
}

bool DirectoryWatch::concerns(int descriptor, uint32_t mask, const char* name) {
  if ((mask & IN_Q_OVERFLOW) != 0) return true;
  const auto [first, last] = ancestors_.equal_range(descriptor);
  for (auto ancestor = first; ancestor != last; ++ancestor) {
    if (ancestor->second != name) continue;
    // If it is gone for a moment, the name's return comes here again.
    (void)watchAll();
    return true;
  }
  if (descriptor != directory_descriptor_) return false;
  if ((mask & kSelfEvents) != 0) return true;
  const std::string_view file = name;
  if (file.starts_with(".") && file != "..data") return false;
  // A new file is told when it is written; a link is complete at once.
  return (mask & IN_CREATE) == 0 || isLink(std::string(file));
}

bool DirectoryWatch::isLink(const std::string& name) const {
  struct stat info;
  if (lstat((directory_ + "/" + name).c_str(), &info) != 0) return false;
  return S_ISLNK(info.st_mode) || info.st_nlink > 1;
}

}  // namespace sluice::event
