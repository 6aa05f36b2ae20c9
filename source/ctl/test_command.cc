#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>

#include "source/ctl/commands.h"
#include "source/ctl/expectations.h"
#include "source/ctl/file_configuration.h"
#include "source/explain/explain.h"
#include "source/extensions/all.h"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;

ExitCode refuse(const std::string& why) {
  std::cerr << why << "\n";
  return kUsage;
}

TestResult run(const Expectation& test, const FileConfiguration& configuration) {
  const auto came = explain::explain(test.request, configuration);
  if (!came.ok()) return {&test, {std::string(came.status().message())}, "it cannot be asked"};
  return {&test, differences(test, *came), reasonOf(*came)};
}

ordered_json asJson(const std::string& file, const std::vector<TestResult>& results) {
  ordered_json out{{"file", file}, {"tests", results.size()}};
  out["failures"] = ordered_json::array();
  for (const TestResult& result : results) {
    if (result.differences.empty()) continue;
    out["failures"].push_back({{"name", result.test->name},
                               {"line", result.test->line},
                               {"request", result.test->asked},
                               {"differences", result.differences},
                               {"why", result.why}});
  }
  return out;
}

size_t printFailures(const std::string& file, const std::vector<TestResult>& results) {
  size_t failed = 0;
  for (const TestResult& result : results) {
    if (result.differences.empty()) continue;
    ++failed;
    std::cout << "FAILED " << file << ":" << result.test->line << ": " << result.test->name << "\n  "
              << result.test->asked << "\n";
    for (const std::string& difference : result.differences) std::cout << "  " << difference << "\n";
    std::cout << "  by " << result.why << "\n";
  }
  std::cout << results.size() << (results.size() == 1 ? " test, " : " tests, ") << failed << " failed\n";
  return failed;
}

}  // namespace

ExitCode test(const Settings& settings, const std::string& path, const std::string& junit_path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf()))) {
    return refuse("sluicectl: " + path + " cannot be read");
  }
  config::ErrorList errors;
  const std::optional<Expectations> expectations = readExpectations(path, text.str(), errors);
  if (!expectations) return refuse(errors.toString());
  std::string used = settings.file;
  if (used.empty() && !expectations->config.empty()) {
    used = (std::filesystem::path(path).parent_path() / expectations->config).string();
  }
  if (used.empty()) return refuse("sluicectl: " + path + " names no `config`; write it, or --file FILE");
  config::Registry registry;
  extensions::registerAll(registry);
  const auto configuration = FileConfiguration::load(used, registry, errors);
  if (configuration == nullptr) return refuse(errors.toString());

  std::vector<TestResult> results;
  for (const Expectation& each : expectations->tests) results.push_back(run(each, *configuration));
  if (!junit_path.empty() && !(std::ofstream(junit_path) << junitOf(path, results) << std::flush)) {
    return refuse("sluicectl: --junit " + junit_path + " cannot be written");
  }
  if (settings.json) {
    const ordered_json out = asJson(path, results);
    std::cout << out.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
    return out["failures"].empty() ? kDone : kRefused;
  }
  return printFailures(path, results) == 0 ? kDone : kRefused;
}

}  // namespace sluice::ctl
