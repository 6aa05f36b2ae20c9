// Tells when the files of a directory may have changed: written, renamed into it, deleted, or swapped as a whole (the
// `..data` link of a Kubernetes volume, a link on the way to the directory, the directory itself).
//
// Thread: the loop's. Events within a few milliseconds are told once; a change that is read half is told again when its
// writer closes the file.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "source/event/loop.h"

namespace sluice::event {

class DirectoryWatch : private FdHandler {
 public:
  // The loop outlives the watch. Errors: the kernel gives no inotify instance, or the directory cannot be watched.
  static absl::StatusOr<std::unique_ptr<DirectoryWatch>> start(const std::string& directory, Loop& loop,
                                                               std::function<void()> on_change);
  ~DirectoryWatch() override;
  DirectoryWatch(const DirectoryWatch&) = delete;
  DirectoryWatch& operator=(const DirectoryWatch&) = delete;

 private:
  DirectoryWatch(std::string directory, int fd, Loop& loop, std::function<void()> on_change);

  void onFdEvents(uint32_t events) override;
  absl::Status watchAll();
  bool concerns(int descriptor, uint32_t mask, const char* name);
  bool isLink(const std::string& name) const;

  const std::string directory_;  // absolute, without a slash at its end
  const int fd_;
  int directory_descriptor_ = -1;
  std::multimap<int, std::string> ancestors_;  // watch descriptor -> the name in it that is on our path
  std::function<void()> on_change_;
  Timer settle_;
  std::unique_ptr<FdWatch> readable_;
};

}  // namespace sluice::event
