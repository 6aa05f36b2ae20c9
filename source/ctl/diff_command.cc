#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "source/base/text.h"
#include "source/ctl/behaviour.h"
#include "source/ctl/commands.h"
#include "source/ctl/file_configuration.h"
#include "source/ctl/probes.h"
#include "source/explain/describe.h"
#include "source/explain/explain.h"
#include "source/extensions/all.h"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;
using Lines = std::vector<std::string>;

constexpr size_t kExamples = 3;
constexpr size_t kMaxLine = 32 * 1024;

// What is the same of several requests is told once.
struct Finding {
  size_t count = 0;
  Lines examples;
};
using Findings = std::map<Lines, Finding>;

// A route may ask for a credential.
std::string textOf(const Probe& probe) {
  std::string out = probe.request;
  for (const std::string& header : probe.headers) {
    const size_t colon = header.find(": ");
    const std::string name = header.substr(0, colon);
    base::strAppend(out, " -H '", name, ": ", explain::shownValue(name, header.substr(colon + 2)), "'");
  }
  return out;
}

// "GET http://host/path", one a line; empty lines and those that begin with # are passed over. False after saying why.
bool readRequests(const std::string& path, std::set<Probe>& out) {
  std::ifstream file(path);
  if (!file) {
    std::cerr << "sluicectl: " << path << " cannot be read\n";
    return false;
  }
  size_t number = 0;
  bool good = true;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const bool bounded = line.size() <= kMaxLine && out.size() < 2 * kMaxProbes;
    const auto request = explain::requestOf({{"request", bounded ? line : std::string()}});
    if (bounded && request.ok()) {
      out.insert({"", line, {}});
      continue;
    }
    good = false;
    std::cerr << path << ":" << number
              << ":1: " << (bounded ? base::toStd(request.status().message()) : "the file or this line is too long")
              << "\n";
  }
  return good;
}

// The route that is there now, for findings about it.
std::string routeOf(const Told& told) {
  if (!told.ok() || !told->route) return "no route";
  const explain::RoutePart& route = *told->route;
  std::string out = route.name.empty() ? base::strCat("routes[", route.index.value_or(0), "]")
                                       : base::strCat("route '", route.name, "'");
  if (told->virtual_host) base::strAppend(out, " of virtual host '", told->virtual_host->name, "'");
  if (route.place.line > 0) base::strAppend(out, " (", route.place.file, ":", route.place.line, ")");
  return out;
}

Told ask(const Probe& probe, const FileConfiguration& configuration) {
  explain::Parameters parameters = probe.parameters();
  if (probe.listener.empty()) std::erase_if(parameters, [](const auto& each) { return each.first == "listener"; });
  const auto request = explain::requestOf(parameters);
  if (!request.ok()) return request.status();
  return explain::explain(*request, configuration);
}

Findings findAll(const std::set<Probe>& probes, const FileConfiguration& before, const FileConfiguration& after,
                 bool security) {
  Findings out;
  for (const Probe& probe : probes) {
    const Told was = ask(probe, before), is = ask(probe, after);
    Lines lines = security ? protectionLost(was, is) : behaviourChanges(was, is);
    if (lines.empty()) continue;
    if (security) lines.insert(lines.begin(), routeOf(is));
    Finding& finding = out[std::move(lines)];
    ++finding.count;
    if (finding.examples.size() < kExamples) finding.examples.push_back(textOf(probe));
  }
  return out;
}

void print(const Findings& findings, size_t probes, bool security) {
  for (const auto& [lines, finding] : findings) {
    std::cout << lines.front() << "\n";
    for (size_t i = 1; i < lines.size(); ++i) std::cout << (security ? "  " : "") << lines[i] << "\n";
    for (const std::string& example : finding.examples) std::cout << "    " << example << "\n";
    if (finding.count > finding.examples.size()) {
      std::cout << "    and " << finding.count - finding.examples.size() << " more\n";
    }
  }
  std::cout << probes << (security ? " requests asked; " : " requests compared; ") << findings.size()
            << (security ? " losses of protection\n" : " differences\n");
}

void printJson(const Findings& findings, size_t probes, size_t left_out) {
  ordered_json out{{"requests", probes}, {"left_out", left_out}};
  out["differences"] = ordered_json::array();
  for (const auto& [lines, finding] : findings) {
    out["differences"].push_back({{"changes", lines}, {"requests", finding.count}, {"examples", finding.examples}});
  }
  std::cout << out.dump(2, ' ', false, ordered_json::error_handler_t::replace) << "\n";
}

}  // namespace

ExitCode diff(const Settings& settings, const std::string& before, const std::string& after,
              const std::string& requests, bool security) {
  config::Registry registry;
  extensions::registerAll(registry);
  config::ErrorList errors;
  const auto was = FileConfiguration::load(before, registry, errors);
  const auto is = FileConfiguration::load(after, registry, errors);
  if (was == nullptr || is == nullptr) {
    std::cerr << errors.toString() << "\nsluicectl: a file is refused, so nothing is compared\n";
    return kUsage;
  }
  size_t left_out = 0;
  std::set<Probe> probes = probesOf(*was, left_out);
  probes.merge(probesOf(*is, left_out));
  if (!requests.empty() && !readRequests(requests, probes)) return kUsage;
  const Findings findings = findAll(probes, *was, *is, security);
  if (settings.json) {
    printJson(findings, probes.size(), left_out);
  } else {
    print(findings, probes.size(), security);
  }
  if (left_out > 0) {
    std::cerr << "sluicectl: " << left_out
              << " routes or tables give no requests by themselves (regular expressions, matchers, tables by RDS, or "
                 "too many); --requests FILE asks for more\n";
  }
  return findings.empty() ? kDone : kRefused;
}

}  // namespace sluice::ctl
