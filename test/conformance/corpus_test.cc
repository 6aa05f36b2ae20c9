// The corpora of configurations: each file of broken/ is refused for the reason that it states, each of good/ is
// accepted.
//
// Stages after `cluster` need the whole proxy; the integration tests run those through the binary. Here such files must
// get as far as that.

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "source/config/bootstrap.h"
#include "source/config/cluster_compiler.h"
#include "source/config/loader.h"
#include "source/config/test_world.h"
#include "source/config/validate.h"
#include "source/extensions/all.h"

namespace sluice::config {
namespace {

struct BrokenFile {
  std::string path;
  std::string expect;  // part of one of its errors
  std::string stage;   // what finds it: load, validate, bootstrap, cluster, listener, route
};

// The rest of the line that begins with `label`.
std::string header(const std::string& path, const std::string& label) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line) && line.rfind("# ", 0) == 0;) {
    if (line.rfind(label, 0) == 0) return line.substr(label.size());
  }
  return {};
}

std::vector<std::string> filesOf(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<BrokenFile> brokenFiles() {
  std::vector<BrokenFile> files;
  for (const std::string& path : filesOf("test/conformance/broken")) {
    files.push_back({path, header(path, "# expect: "), header(path, "# stage: ")});
  }
  return files;
}

// What clusters are compiled with.
struct ClusterWorld : testing::TestWorld {
  ClusterWorld() { extensions::registerAll(registry); }
};

// Everything that is found without opening a file that the configuration names.
ErrorList problems(const std::string& path) {
  ErrorList errors;
  Positions positions;
  envoy::config::bootstrap::v3::Bootstrap bootstrap;
  const Context root(errors, &positions);
  if (!Loader(errors, positions).loadFile(path, bootstrap) || !validate(bootstrap, root)) return errors;
  compileBootstrap(bootstrap, root);
  ClusterWorld world;
  for (int i = 0; i < bootstrap.static_resources().clusters_size(); ++i) {
    envoy::config::cluster::v3::Cluster cluster = bootstrap.static_resources().clusters(i);
    cluster.clear_transport_socket();
    compileCluster(cluster, root.child("static_resources").child("clusters", static_cast<size_t>(i)), world.services);
  }
  return errors;
}

TEST_CASE("there are at least 200 broken files, each with a reason and a stage") {
  const std::vector<BrokenFile> files = brokenFiles();

  CHECK(files.size() >= 200);
  for (const BrokenFile& file : files) {
    CAPTURE(file.path);
    CHECK_FALSE(file.expect.empty());
    CHECK_FALSE(file.stage.empty());
  }
}

TEST_CASE("every broken file is refused for the reason that it states") {
  for (const BrokenFile& file : brokenFiles()) {
    if (file.stage == "listener" || file.stage == "route") continue;
    const std::string found = problems(file.path).toString();
    CAPTURE(file.path, file.expect, found);
    CHECK(found.find(file.expect) != std::string::npos);
  }
}

TEST_CASE("files that only the proxy's own compilers refuse get as far as those") {
  for (const BrokenFile& file : brokenFiles()) {
    if (file.stage != "listener" && file.stage != "route") continue;
    CAPTURE(file.path);
    CHECK(problems(file.path).toString() == "");
  }
}

TEST_CASE("every good file is accepted") {
  for (const std::string& path : filesOf("test/conformance/good")) {
    CAPTURE(path);
    CHECK(problems(path).toString() == "");
  }
}

}  // namespace
}  // namespace sluice::config
