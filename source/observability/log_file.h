// Log files (access logs): workers append whole lines to bounded rings of their own, one thread writes them out.
//
//   std::shared_ptr<LogFile> file = *files.open("/var/log/access.log");   // main, once per configured path
//   LogSink sink(files);                                                   // one per worker, used by that worker only
//   sink.append(*file, line);                                              // no lock, no system call, never waits
//
// Rings are written out when 64 KiB are waiting, every second, on flush() and at stop(). Where the file cannot keep up
// (full disk, blocked pipe) lines are dropped whole and counted; a line that is written is written whole.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "source/observability/stats.h"

namespace sluice::observability {

// Bytes from one worker to the writer: one producer, one consumer.
class LogRing {
 public:
  explicit LogRing(size_t capacity);

  // Producer: all of `line`, or nothing (false) if there is no room; what is dropped is counted.
  bool push(std::string_view line);
  // Consumer: what is there now, in at most two pieces, then how much of it is done with.
  struct Pieces {
    std::string_view first, second;
  };
  Pieces peek() const;
  void consume(size_t size);

  std::atomic<uint64_t> dropped{0};    // lines; the producer writes
  std::atomic<bool> abandoned{false};  // the producer is gone
  std::atomic<bool> retired{false};    // the file is gone
  uint64_t counted = 0;                // of `dropped`; the consumer's

 private:
  const size_t capacity_;
  const std::unique_ptr<char[]> bytes_;
  alignas(64) std::atomic<uint64_t> tail_{0};  // bytes ever pushed
  uint64_t seen_head_ = 0;                     // the producer's last look at head_
  alignas(64) std::atomic<uint64_t> head_{0};  // bytes ever consumed
};

// One open file, shared by all configurations that name its path. Closed when the last of them is gone.
class LogFile {
 public:
  LogFile(uint32_t id, std::string path) : id_(id), path_(std::move(path)) {}

  uint32_t id() const { return id_; }
  const std::string& path() const { return path_; }

 private:
  const uint32_t id_;  // never reused
  const std::string path_;
};

// All log files and the thread that writes them. Made by main; outlives all sinks. open, reopen, flush and stop: main.
class LogFiles {
 public:
  struct Options {
    size_t ring_bytes = 1 << 20;  // per worker and file
    std::chrono::milliseconds interval{1000};
  };
  // Counts filesystem.write_completed, filesystem.write_failed, filesystem.reopen_failed and
  // access_logs.file_access_log.logs_dropped.
  LogFiles(StatsRegistry& stats, Options options);
  explicit LogFiles(StatsRegistry& stats) : LogFiles(stats, Options()) {}
  ~LogFiles();
  LogFiles(const LogFiles&) = delete;
  LogFiles& operator=(const LogFiles&) = delete;

  // Opens for appending, mode 0644; /dev/stdout and /dev/stderr are the descriptors of the process.
  absl::StatusOr<std::shared_ptr<LogFile>> open(std::string_view path);
  // Closes and opens each file anew (SIGUSR1, after a rotation). A file that cannot be opened keeps its old one.
  void reopen();
  // Returns when all lines appended before the call are written, or cannot be written now.
  void flush();
  // Writes what is there and ends the thread; a file that accepts nothing is given up after `patience`.
  // Call after the workers have ended.
  void stop(std::chrono::milliseconds patience = std::chrono::milliseconds(1000));

 private:
  friend class LogSink;
  class Descriptor;
  struct Entry;

  std::shared_ptr<LogRing> addRing(const LogFile& file);
  void wake();
  void run();
  // One round over all files; true if nothing is left to write.
  bool writeAll(bool reopen);
  bool writeEntry(Entry& entry);
  bool writeRing(Entry& entry, LogRing& ring);
  void countDrops(Entry& entry);

  const Options options_;
  StatsCells& cells_;  // of the writer thread
  const Counter written_, failed_, reopen_failed_, dropped_;

  std::mutex mutex_;  // guards all below; never held during I/O
  std::condition_variable wake_;
  std::condition_variable done_;
  std::vector<std::shared_ptr<Entry>> entries_;
  uint32_t next_id_ = 0;
  bool work_ = false;
  bool reopen_ = false;
  bool stop_ = false;
  uint64_t asked_ = 0;  // flushes
  uint64_t answered_ = 0;
  std::chrono::milliseconds patience_{0};
  std::thread thread_;
};

// One worker's way in. Used by its worker only; destroyed before the LogFiles.
class LogSink {
 public:
  explicit LogSink(LogFiles& files) : files_(files) {}
  ~LogSink();
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  // `line` ends with its newline. Returns false if it was dropped.
  bool append(const LogFile& file, std::string_view line);
  // An empty buffer to format a line in; keeps its memory from line to line.
  std::string& scratch() {
    scratch_.clear();
    return scratch_;
  }

 private:
  static constexpr size_t kWakeBytes = 64 * 1024;

  LogRing& ringOf(const LogFile& file);

  LogFiles& files_;
  std::vector<std::shared_ptr<LogRing>> rings_;  // by file id
  size_t unannounced_ = 0;                       // bytes since the writer was last woken
  std::string scratch_;
};

}  // namespace sluice::observability
