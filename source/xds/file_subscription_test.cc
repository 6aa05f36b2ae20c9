#include "source/xds/file_subscription.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "source/xds/fakes.h"
#include "test/support/files/scratch_folder.h"

namespace sluice::xds {
namespace {

using namespace std::chrono_literals;
using testing::bare;
using testing::clusterBody;
using testing::endpointBody;
using testing::RecordingWatcher;
using testing::response;
using Names = std::vector<std::string>;
namespace fs = std::filesystem;

// A folder of its own, and a real loop, which is turned until what was written has been seen.
struct Fixture {
  explicit Fixture(std::string_view type = kClusterType, bool watch_directory = false) {
    FileSubscription::Options options;
    options.type = typeInfo(type);
    options.path = folder / "file.pb";
    if (watch_directory) options.watched_directory = folder;
    subscription = std::make_unique<FileSubscription>(
        options, [this](const std::string& path) { return load(path); }, watcher, *loop,
        [this](const std::string& line) { log.push_back(line); });
  }

  absl::StatusOr<envoy::service::discovery::v3::DiscoveryResponse> load(const std::string& path) {
    ++loads;
    std::ifstream in(path, std::ios::binary);
    if (!in) return absl::NotFoundError(path + ": no such file");
    envoy::service::discovery::v3::DiscoveryResponse message;
    if (!message.ParseFromIstream(&in)) return absl::InvalidArgumentError(path + ": is broken");
    return message;
  }
  void write(const fs::path& path, const Response& r) {
    std::ofstream out(path, std::ios::binary);
    toSotwMessage(r).SerializeToOstream(&out);
  }
  void replace(const Response& r) {
    write(folder / "new", r);
    fs::rename(folder / "new", folder / "file.pb");
  }
  // Turns the loop until `loads` files were read; false after 10 seconds.
  bool turnUntilLoads(int wanted) {
    event::Timer watchdog(loop->timers(), [&] { loop->stop(); });
    watchdog.arm(10s);
    event::Timer poll(loop->timers(), [&] {
      if (loads >= wanted) return loop->stop();
      poll.arm(1ms);
    });
    poll.arm(0ms);
    loop->run();
    return loads >= wanted;
  }

  const test::ScratchFolder scratch;
  const fs::path folder = scratch.path();
  std::unique_ptr<event::Loop> loop = event::makeLoop();
  RecordingWatcher watcher;
  std::vector<std::string> log;
  int loads = 0;
  std::unique_ptr<FileSubscription> subscription;
};

Response clusters(const std::string& version, const Names& names) {
  std::vector<Resource> resources;
  for (const std::string& name : names) resources.push_back(bare(clusterBody(name, version)));
  return response(kClusterType, version, "", std::move(resources));
}

TEST_CASE("a file is read at start") {
  Fixture f;
  f.write(f.folder / "file.pb", clusters("v1", {"a"}));
  f.subscription->setInterest({"*"});

  CHECK(f.subscription->start().ok());

  CHECK(f.watcher.held == std::map<std::string, std::string>{{"a", "v1"}});
  CHECK(f.subscription->stats().update_success == 1);
}

TEST_CASE("a file moved onto the path is taken, with what is missing in it removed") {
  Fixture f;
  f.write(f.folder / "file.pb", clusters("v1", {"a", "b"}));
  f.subscription->setInterest({"*"});
  REQUIRE(f.subscription->start().ok());

  f.replace(clusters("v2", {"b"}));

  REQUIRE(f.turnUntilLoads(2));
  CHECK(f.watcher.held == std::map<std::string, std::string>{{"b", "v2"}});
}

TEST_CASE("writing in place and moving other files is not seen") {
  Fixture f;
  f.write(f.folder / "file.pb", clusters("v1", {"a"}));
  f.subscription->setInterest({"*"});
  REQUIRE(f.subscription->start().ok());

  f.write(f.folder / "file.pb", clusters("v2", {"a"}));
  f.write(f.folder / "x", clusters("v3", {"a"}));
  fs::rename(f.folder / "x", f.folder / "other.pb");
  f.replace(clusters("v4", {"a"}));

  REQUIRE(f.turnUntilLoads(2));
  CHECK(f.loads == 2);
  CHECK(f.watcher.held["a"] == "v4");
}

TEST_CASE("any move in the watched directory reads the file again, as for a ConfigMap") {
  Fixture f(kClusterType, /*watch_directory=*/true);
  fs::create_directory(f.folder / "1");
  fs::create_directory(f.folder / "2");
  f.write(f.folder / "1" / "file.pb", clusters("v1", {"a"}));
  f.write(f.folder / "2" / "file.pb", clusters("v2", {"a"}));
  fs::create_symlink("1", f.folder / "..data");
  fs::create_symlink("..data/file.pb", f.folder / "file.pb");
  f.subscription->setInterest({"*"});
  REQUIRE(f.subscription->start().ok());

  fs::create_symlink("2", f.folder / "..data_tmp");
  fs::rename(f.folder / "..data_tmp", f.folder / "..data");

  REQUIRE(f.turnUntilLoads(2));
  CHECK(f.watcher.held["a"] == "v2");
}

TEST_CASE("a file that does not parse leaves the last good one in place, is counted and logged") {
  Fixture f;
  f.write(f.folder / "file.pb", clusters("v1", {"a"}));
  f.subscription->setInterest({"*"});
  REQUIRE(f.subscription->start().ok());

  std::ofstream(f.folder / "new") << "\xff\xff";
  fs::rename(f.folder / "new", f.folder / "file.pb");

  REQUIRE(f.turnUntilLoads(2));
  CHECK(f.watcher.held["a"] == "v1");
  CHECK(f.subscription->stats().update_failure == 1);
  REQUIRE(f.log.size() == 1);
  CHECK(f.log[0].find("is broken; the last good version goes on serving") != std::string::npos);
}

TEST_CASE("a bad resource of a file is refused by name and its neighbours are taken") {
  Fixture f;
  f.write(f.folder / "file.pb", clusters("v1", {"bad", "good"}));
  f.watcher.refuse = {"bad"};
  f.subscription->setInterest({"*"});

  const absl::Status status = f.subscription->start();

  CHECK(std::string(status.message()).find("\"bad\": connect_timeout") != std::string::npos);
  CHECK(f.watcher.held.contains("good"));
  CHECK(f.subscription->stats().update_rejected == 1);
}

TEST_CASE("a missing file is an error at start, and is taken when it comes") {
  Fixture f;
  f.subscription->setInterest({"*"});
  CHECK(f.subscription->start().code() == absl::StatusCode::kNotFound);

  f.replace(clusters("v1", {"a"}));

  REQUIRE(f.turnUntilLoads(2));
  CHECK(f.watcher.held.contains("a"));
}

TEST_CASE("a missing directory is an error at start that says so") {
  Fixture f;
  fs::remove_all(f.folder);
  CHECK(std::string(f.subscription->start().message()).find("the directory must exist") != std::string::npos);
}

TEST_CASE("a name that is wanted later is read from the file then") {
  Fixture f(kEndpointType);
  f.write(f.folder / "file.pb",
          response(kEndpointType, "v1", "", {bare(endpointBody("a", 140)), bare(endpointBody("b", 140))}));
  f.subscription->setInterest({"a"});
  REQUIRE(f.subscription->start().ok());
  CHECK(f.watcher.held.size() == 1);

  f.subscription->setInterest({"a", "b"});

  REQUIRE(f.turnUntilLoads(2));
  CHECK(f.watcher.held.size() == 2);
}

}  // namespace
}  // namespace sluice::xds
