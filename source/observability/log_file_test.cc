#include "source/observability/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "test/support/files/scratch_folder.h"

namespace sluice::observability {
namespace {

using test::contentOf;
using test::ScratchFolder;

// Rounds happen only when a test asks for one.
constexpr LogFiles::Options kNoTimer = {1 << 20, std::chrono::hours(1)};

TEST_CASE("lines are written at a flush, in order") {
  ScratchFolder folder;
  StatsRegistry stats;
  LogFiles files(stats, kNoTimer);
  const auto file = *files.open(folder / "a.log");
  LogSink sink(files);

  sink.append(*file, "one\n");
  sink.append(*file, "two\n");
  CHECK(contentOf(folder / "a.log").empty());
  files.flush();

  CHECK(contentOf(folder / "a.log") == "one\ntwo\n");
}

TEST_CASE("lines that wait are written at the end, after what the file had") {
  ScratchFolder folder;
  StatsRegistry stats;
  std::ofstream(folder / "a.log") << "old\n";
  {
    LogFiles files(stats, kNoTimer);
    const auto file = *files.open(folder / "a.log");
    LogSink sink(files);
    sink.append(*file, "last\n");
  }

  CHECK(contentOf(folder / "a.log") == "old\nlast\n");
}

TEST_CASE("the same path is one file, and it is closed when nobody names it any more") {
  ScratchFolder folder;
  StatsRegistry stats;
  LogFiles files(stats, kNoTimer);
  LogSink sink(files);
  auto file = *files.open(folder / "a.log");
  CHECK((*files.open(folder / "a.log")).get() == file.get());
  const uint32_t id = file->id();
  sink.append(*file, "before\n");

  file.reset();
  files.flush();
  files.flush();

  file = *files.open(folder / "a.log");
  CHECK(file->id() != id);
  sink.append(*file, "after\n");
  files.flush();
  CHECK(contentOf(folder / "a.log") == "before\nafter\n");
}

TEST_CASE("a path that cannot be opened is an error that names it") {
  StatsRegistry stats;
  LogFiles files(stats, kNoTimer);

  const auto file = files.open("/nonexistent/folder/a.log");

  REQUIRE_FALSE(file.ok());
  CHECK(std::string(file.status().message()).find("'/nonexistent/folder/a.log'") != std::string::npos);
}

TEST_CASE("reopen follows a rotation and keeps the old file where it cannot") {
  ScratchFolder folder;
  StatsRegistry stats;
  LogFiles files(stats, kNoTimer);
  std::filesystem::create_directory(folder / "logs");
  const auto file = *files.open(folder / "logs/a.log");
  LogSink sink(files);
  sink.append(*file, "one\n");

  std::filesystem::rename(folder / "logs/a.log", folder / "logs/a.log.1");
  files.reopen();
  sink.append(*file, "two\n");
  files.flush();
  CHECK(contentOf(folder / "logs/a.log.1") == "one\n");
  CHECK(contentOf(folder / "logs/a.log") == "two\n");

  std::filesystem::rename(folder / "logs", folder / "moved");
  files.reopen();
  sink.append(*file, "three\n");
  files.flush();
  CHECK(contentOf(folder / "moved/a.log") == "two\nthree\n");
  CHECK(stats.valueOf("filesystem.reopen_failed") == 1);
}

TEST_CASE("a full ring drops whole lines and counts them") {
  ScratchFolder folder;
  StatsRegistry stats;
  LogFiles files(stats, {32, std::chrono::hours(1)});
  const auto file = *files.open(folder / "a.log");
  LogSink sink(files);

  CHECK(sink.append(*file, "0123456789012345678\n"));
  CHECK_FALSE(sink.append(*file, "does not fit\n"));
  CHECK(sink.append(*file, "does\n"));
  CHECK_FALSE(sink.append(*file, std::string(100, 'x')));
  files.flush();
  CHECK(sink.append(*file, "wraps around the end\n"));
  files.flush();

  CHECK(contentOf(folder / "a.log") == "0123456789012345678\ndoes\nwraps around the end\n");
  CHECK(stats.valueOf("access_logs.file_access_log.logs_dropped") == 2);
}

TEST_CASE("a full disk stops nobody and is counted") {
  StatsRegistry stats;
  LogFiles files(stats, {64, std::chrono::hours(1)});
  const auto file = *files.open("/dev/full");
  LogSink sink(files);

  for (int i = 0; i < 100; ++i) {
    sink.append(*file, "a line\n");
    files.flush();
  }
  files.stop(std::chrono::milliseconds(0));

  CHECK(stats.valueOf("filesystem.write_failed") > 0);
  CHECK(stats.valueOf("access_logs.file_access_log.logs_dropped") == 91);
}

TEST_CASE("a pipe that nobody reads blocks neither workers nor other files, and loses no part of a line") {
  ScratchFolder folder;
  StatsRegistry stats;
  LogFiles files(stats, {128 * 1024, std::chrono::hours(1)});
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const int reader = ::open((folder / "pipe").c_str(), O_RDONLY | O_NONBLOCK);
  const auto pipe = *files.open(folder / "pipe");
  const auto file = *files.open(folder / "a.log");
  LogSink one(files);
  LogSink two(files);

  std::string expected;
  int64_t accepted = 0;
  const std::string filler(1000, 'x');
  for (int i = 0; i < 400; ++i) {
    const std::string line = std::to_string(i) + filler + "\n";
    const bool taken = (i % 2 == 0 ? one : two).append(*pipe, line);
    if (taken) expected += line;
    accepted += taken ? 1 : 0;
    files.flush();
  }
  one.append(*file, "other\n");
  files.flush();
  CHECK(contentOf(folder / "a.log") == "other\n");
  CHECK(stats.valueOf("access_logs.file_access_log.logs_dropped") > 0);

  std::string got;
  std::array<char, 4096> buffer;
  int64_t more = 0;  // both go on writing while the reader catches up slowly
  while (got.size() < expected.size()) {
    const ssize_t n = ::read(reader, buffer.data(), buffer.size());
    if (n > 0) got.append(buffer.data(), n);
    const std::string line = "m" + filler + "\n";
    if (more < 100 && (more % 2 == 0 ? one : two).append(*pipe, line)) {
      expected += line;
      ++more;
      ++accepted;
    }
    files.flush();
  }
  ::close(reader);
  std::istringstream lines(got);
  int64_t whole = 0;
  for (std::string line; std::getline(lines, line);) {
    REQUIRE(line.ends_with(filler));
    REQUIRE(line.size() - filler.size() <= 3);
    ++whole;
  }
  CHECK(whole == accepted);
}

TEST_CASE("lines of many workers stay whole") {
  ScratchFolder folder;
  StatsRegistry stats;
  LogFiles files(stats, kNoTimer);
  const auto file = *files.open(folder / "a.log");
  constexpr int kWorkers = 4;
  constexpr int kLines = 5000;
  std::vector<std::thread> workers;
  for (int worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      LogSink sink(files);
      for (int i = 0; i < kLines; ++i) {
        std::string& line = sink.scratch();
        line += std::to_string(worker) + " " + std::to_string(i) + "\n";
        sink.append(*file, line);
      }
    });
  }

  files.flush();
  files.reopen();
  for (std::thread& worker : workers) worker.join();
  files.stop();

  std::array<int, kWorkers> next{};
  std::istringstream lines(contentOf(folder / "a.log"));
  int worker = 0, number = 0;
  while (lines >> worker >> number) {
    REQUIRE(number == next.at(worker));
    ++next[worker];
  }
  for (const int count : next) CHECK(count == kLines);
}

}  // namespace
}  // namespace sluice::observability
