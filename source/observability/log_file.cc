#include "source/observability/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "source/base/text.h"

namespace sluice::observability {

// --- ring ------------------------------------------------------------------------------------------------------------

LogRing::LogRing(size_t capacity) : capacity_(capacity), bytes_(std::make_unique_for_overwrite<char[]>(capacity)) {}

bool LogRing::push(std::string_view line) {
  const uint64_t tail = tail_.load(std::memory_order_relaxed);
  if (tail + line.size() - seen_head_ > capacity_) {
    seen_head_ = head_.load(std::memory_order_acquire);
    if (tail + line.size() - seen_head_ > capacity_) {
      dropped.store(dropped.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return false;
    }
  }
  const size_t at = tail % capacity_;
  const size_t first = std::min(line.size(), capacity_ - at);
  std::memcpy(bytes_.get() + at, line.data(), first);
  if (first < line.size()) std::memcpy(bytes_.get(), line.data() + first, line.size() - first);
  tail_.store(tail + line.size(), std::memory_order_release);
  return true;
}

LogRing::Pieces LogRing::peek() const {
  const uint64_t head = head_.load(std::memory_order_relaxed);
  const size_t size = tail_.load(std::memory_order_acquire) - head;
  const size_t at = head % capacity_;
  const size_t first = std::min(size, capacity_ - at);
  return {{bytes_.get() + at, first}, {bytes_.get(), size - first}};
}

void LogRing::consume(size_t size) {
  head_.store(head_.load(std::memory_order_relaxed) + size, std::memory_order_release);
}

// --- descriptor ------------------------------------------------------------------------------------------------------

class LogFiles::Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {
    struct stat status {};
    regular_ = fd_ >= 0 && ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode);
  }
  Descriptor(Descriptor&& other) noexcept { *this = std::move(other); }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(regular_, other.regular_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  static Descriptor open(const std::string& path) {
    // Not opened anew: a socket or a closed terminal could not be.
    if (path == "/dev/stdout") return Descriptor(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (path == "/dev/stderr") return Descriptor(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    return Descriptor(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644));
  }

  explicit operator bool() const { return fd_ >= 0; }

  // Bytes written, or -1. Never waits for a reader: O_NONBLOCK would hold for everyone who shares our stdout, so a
  // pipe is asked first and given no more than it takes without waiting.
  ssize_t write(const LogRing::Pieces& pieces) const {
    if (regular_) {
      iovec parts[2] = {{const_cast<char*>(pieces.first.data()), pieces.first.size()},
                        {const_cast<char*>(pieces.second.data()), pieces.second.size()}};
      return ::writev(fd_, parts, pieces.second.empty() ? 1 : 2);
    }
    pollfd ready{fd_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) <= 0 || (ready.revents & POLLOUT) == 0) {
      errno = EAGAIN;
      return -1;
    }
    return ::write(fd_, pieces.first.data(), std::min<size_t>(pieces.first.size(), PIPE_BUF));
  }

 private:
  int fd_ = -1;
  bool regular_ = false;
};

struct LogFiles::Entry {
  std::shared_ptr<LogFile> file;
  Descriptor descriptor;                          // the writer's, once the thread knows the entry
  std::vector<std::shared_ptr<LogRing>> rings;    // guarded by mutex_
  std::vector<std::shared_ptr<LogRing>> writing;  // the writer's copy
  bool unused = false;                            // at the end of the last round
  size_t cut = 0;                                 // ring in `writing` whose write was cut short: goes first
};

// --- files -----------------------------------------------------------------------------------------------------------

LogFiles::LogFiles(StatsRegistry& stats, Options options)
    : options_(options),
      cells_(stats.makeCells()),
      written_(stats.counter("filesystem.write_completed")),
      failed_(stats.counter("filesystem.write_failed")),
      reopen_failed_(stats.counter("filesystem.reopen_failed")),
      dropped_(stats.counter("access_logs.file_access_log.logs_dropped")) {
  thread_ = std::thread([this] { run(); });
}

LogFiles::~LogFiles() {
  stop();
}

absl::StatusOr<std::shared_ptr<LogFile>> LogFiles::open(std::string_view path) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries_) {
      if (entry->file->path() == path) return entry->file;
    }
  }
  auto entry = std::make_shared<Entry>();
  entry->descriptor = Descriptor::open(std::string(path));
  if (!entry->descriptor) {
    return absl::InvalidArgumentError(
        base::strCat("cannot open log file '", path, "' for appending: ", std::strerror(errno)));
  }
  const std::lock_guard lock(mutex_);
  entry->file = std::make_shared<LogFile>(next_id_++, std::string(path));
  entries_.push_back(entry);
  return entry->file;
}

std::shared_ptr<LogRing> LogFiles::addRing(const LogFile& file) {
  auto ring = std::make_shared<LogRing>(options_.ring_bytes);
  const std::lock_guard lock(mutex_);
  for (const auto& entry : entries_) {
    if (entry->file.get() == &file) entry->rings.push_back(ring);
  }
  return ring;
}

void LogFiles::wake() {
  {
    const std::lock_guard lock(mutex_);
    work_ = true;
  }
  wake_.notify_one();
}

void LogFiles::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  flush();
}

void LogFiles::flush() {
  std::unique_lock lock(mutex_);
  if (stop_) return;
  const uint64_t mine = ++asked_;
  work_ = true;
  wake_.notify_one();
  done_.wait(lock, [&] { return answered_ >= mine || stop_; });
}

void LogFiles::stop(std::chrono::milliseconds patience) {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    patience_ = patience;
  }
  wake_.notify_one();
  done_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LogFiles::run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);  // signals are main's

  std::unique_lock lock(mutex_);
  while (!stop_) {
    wake_.wait_for(lock, options_.interval, [&] { return work_ || stop_; });
    work_ = false;
    const bool reopen = std::exchange(reopen_, false);
    const uint64_t asked = asked_;
    lock.unlock();
    writeAll(reopen);
    lock.lock();
    answered_ = asked;
    done_.notify_all();
  }
  const auto deadline = std::chrono::steady_clock::now() + patience_;
  lock.unlock();
  while (!writeAll(false) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

bool LogFiles::writeAll(bool reopen) {
  const std::vector<std::shared_ptr<Entry>> entries = [this] {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries_) entry->writing = entry->rings;
    return entries_;
  }();
  bool finished = true;
  for (const auto& entry : entries) {
    const bool empty = writeEntry(*entry);
    finished = finished && empty;
    countDrops(*entry);
    if (reopen) {
      Descriptor fresh = Descriptor::open(entry->file->path());
      if (fresh) {
        entry->descriptor = std::move(fresh);
      } else {
        cells_.add(reopen_failed_);
      }
    }
    if (!empty) continue;
    const std::lock_guard lock(mutex_);
    // Rings of workers that ended; nothing can be in them any more but what came after `writing` was taken.
    std::erase_if(entry->rings, [](const std::shared_ptr<LogRing>& ring) {
      return ring->abandoned.load(std::memory_order_acquire) && ring->peek().first.empty();
    });
    // Held by `entry` alone: no configuration and no stream can append to it. It goes a round later, because what was
    // appended last may have missed this one.
    const bool unused = entry->file.use_count() == 1;
    if (unused && entry->unused) {
      for (const auto& ring : entry->rings) ring->retired.store(true, std::memory_order_release);
      std::erase(entries_, entry);
    }
    entry->unused = unused;
  }
  return finished;
}

bool LogFiles::writeEntry(Entry& entry) {
  // A ring whose last line was cut by a short write goes first, so that lines of others do not come inside it.
  const size_t count = entry.writing.size();
  for (size_t i = 0; i < count; ++i) {
    const size_t at = (entry.cut + i) % count;
    if (writeRing(entry, *entry.writing[at])) continue;
    entry.cut = at;
    return false;
  }
  return true;
}

bool LogFiles::writeRing(Entry& entry, LogRing& ring) {
  // What is there now and no more: a busy worker must not keep its neighbours waiting.
  const LogRing::Pieces now = ring.peek();
  size_t left = now.first.size() + now.second.size();
  while (left > 0) {
    LogRing::Pieces pieces = ring.peek();
    pieces.first = pieces.first.substr(0, left);
    pieces.second = pieces.second.substr(0, left - pieces.first.size());
    const ssize_t written = entry.descriptor.write(pieces);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) cells_.add(failed_);
      return false;
    }
    ring.consume(static_cast<size_t>(written));
    left -= static_cast<size_t>(written);
    cells_.add(written_);
  }
  return true;
}

void LogFiles::countDrops(Entry& entry) {
  for (const auto& ring : entry.writing) {
    const uint64_t total = ring->dropped.load(std::memory_order_relaxed);
    cells_.add(dropped_, total - ring->counted);
    ring->counted = total;
  }
}

// --- sink ------------------------------------------------------------------------------------------------------------

LogSink::~LogSink() {
  for (const auto& ring : rings_) {
    if (ring) ring->abandoned.store(true, std::memory_order_release);
  }
}

LogRing& LogSink::ringOf(const LogFile& file) {
  if (file.id() >= rings_.size()) rings_.resize(file.id() + 1);
  std::shared_ptr<LogRing>& ring = rings_[file.id()];
  if (!ring) {
    ring = files_.addRing(file);
    for (auto& other : rings_) {  // the memory of files that are gone
      if (other && other->retired.load(std::memory_order_acquire)) other.reset();
    }
  }
  return *ring;
}

bool LogSink::append(const LogFile& file, std::string_view line) {
  const bool known = file.id() < rings_.size() && rings_[file.id()];
  LogRing& ring = known ? *rings_[file.id()] : ringOf(file);
  const bool taken = ring.push(line);
  unannounced_ += line.size();
  if (unannounced_ >= kWakeBytes) {
    unannounced_ = 0;
    files_.wake();
  }
  return taken;
}

}  // namespace sluice::observability
