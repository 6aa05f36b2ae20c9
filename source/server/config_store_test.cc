#include "source/server/config_store.h"

#include <sys/stat.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>
#include <vector>

#include "source/xds/fakes.h"
#include "test/support/files/scratch_folder.h"

namespace sluice::server {
namespace {

ConfigStore::Contents contents() {
  ConfigStore::Contents out;
  out.saved = std::chrono::system_clock::time_point(std::chrono::hours(500'000));
  out.types.push_back({"a/type", "ads", {{"one", "1", xds::testing::clusterBody("one", "secret text")}}});
  out.types.push_back({"a/type", std::string("grpc\nx\0y", 8), {}});
  return out;
}

mode_t modeOf(const std::string& path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

struct StoreTest {
  absl::StatusOr<ConfigStore> open(const std::string& key = {}) const { return ConfigStore::open(path, key); }
  // Why it is no good.
  std::string whyNot(const std::string& key) const { return std::string(open(key).status().message()); }

  test::ScratchFolder folder;
  const std::string path = folder / "store";
};

TEST_CASE("what was written is read by another process, and nobody else can") {
  StoreTest t;
  const ConfigStore store = *t.open();
  CHECK(absl::IsNotFound(store.read().status()));
  REQUIRE(store.write(contents()).ok());
  const auto read = t.open()->read();
  REQUIRE(read.ok());
  CHECK(read->saved == contents().saved);
  REQUIRE(read->types.size() == 2);
  CHECK(read->types[0].url == "a/type");
  CHECK(read->types[1].source == contents().types[1].source);
  REQUIRE(read->types[0].resources.size() == 1);
  CHECK(read->types[0].resources[0].version == "1");
  CHECK(read->types[0].resources[0].body->value() == contents().types[0].resources[0].body->value());

  CHECK(modeOf(t.path) == 0700);
  CHECK(modeOf(store.path()) == 0600);
  CHECK(modeOf(t.path + "/key") == 0600);
  CHECK(test::contentOf(store.path()).find("secret text") == std::string::npos);
}

TEST_CASE("of several that share a folder each writes whole, by one key") {
  const StoreTest t;
  std::atomic<int> failures = 0;
  const auto work = [&] {
    const auto store = t.open();
    for (int i = 0; i < 20; ++i) {
      if (!store.ok() || !store->write(contents()).ok() || !store->read().ok()) ++failures;
    }
  };
  std::vector<std::thread> all;
  for (int i = 0; i < 4; ++i) all.emplace_back(work);
  for (std::thread& one : all) one.join();
  CHECK(failures == 0);
  CHECK_FALSE(std::filesystem::exists(t.path + "/accepted.sealed.new"));
}

TEST_CASE("a damaged file is refused as a whole, with the reason") {
  StoreTest t;
  const ConfigStore store = *t.open();
  REQUIRE(store.write(contents()).ok());
  const std::string good = test::contentOf(store.path());
  for (size_t i = 0; i < good.size(); i += 7) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    t.folder.write("store/accepted.sealed", bad);
    CHECK(absl::IsDataLoss(store.read().status()));
    t.folder.write("store/accepted.sealed", good.substr(0, i));
    CHECK(absl::IsDataLoss(store.read().status()));
  }
  t.folder.write("store/accepted.sealed", good);
  CHECK(store.read().ok());
  const std::string other = t.folder.write("other", std::string(64, 'a'));
  chmod(other.c_str(), 0600);
  CHECK(std::string(t.open(other)->read().status().message()).find("another key") != std::string::npos);
}

TEST_CASE("a key that is none, that everybody may read or that is not there is refused") {
  StoreTest t;
  CHECK(t.whyNot(t.folder / "none").find("No such file") != std::string::npos);
  const std::string key = t.folder.write("key", "too short");
  chmod(key.c_str(), 0600);
  CHECK(t.whyNot(key).find("no key of 32 bytes") != std::string::npos);
  t.folder.write("key", std::string(32, 'k'));
  CHECK(t.open(key).ok());
  chmod(key.c_str(), 0644);
  CHECK(t.whyNot(key).find("chmod o-rwx") != std::string::npos);
  CHECK(t.whyNot(t.folder.path()).find("is no file") != std::string::npos);
  t.folder.write("file", "");
  CHECK(std::string(ConfigStore::open(t.folder / "file", "").status().message()).find("Not a directory") !=
        std::string::npos);
}

}  // namespace
}  // namespace sluice::server
