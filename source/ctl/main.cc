// sluicectl: the command-line client of sluice and sluice-control.
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "source/ctl/commands.h"

namespace sluice::ctl {
namespace {

constexpr std::string_view kVersion = "0.1.0";

constexpr std::string_view kHelp =
    "sluicectl: the command-line client of sluice and sluice-control\n"
    "\n"
    "  sluicectl validate FILE|DIR   a proxy's bootstrap, a file of resources, or a directory as sluice-control reads "
    "it\n"
    "  sluicectl status              what each proxy was sent, acknowledged or refused, and why, and how many serve "
    "it\n"
    "  sluicectl load [CLUSTER]      requests per second, errors and requests in flight, by cluster and locality\n"
    "  sluicectl get TYPE [NAME]     what the control plane serves: clusters, endpoints, listeners, routes,\n"
    "                              secrets (private keys are left out)\n"
    "  sluicectl apply FILE          hands a file of resources to the control plane; with --wait, until each "
    "connected\n"
    "                              proxy serves it or has refused it\n"
    "  sluicectl config-dump         what a proxy has\n"
    "  sluicectl impact A B          what the change from A to B closes: bootstraps, or files of resources.\n"
    "                              Exits 0 if nothing closes, 1 if something does or a restart is needed,\n"
    "                              2 if a file or a change is refused\n"
    "    --by-xds                  as if a control plane served what is static, which takes a restart otherwise\n"
    "  sluicectl impact --fields     a table of fields by what a change of them does\n"
    "  sluicectl test FILE           whether requests meet in a bootstrap what FILE expects.\n"
    "                              Exits 0 if they do, 1 if not, 2 if a file is refused\n"
    "    --file FILE               the bootstrap, in the place of the one that the file of expectations names\n"
    "    --junit FILE              is written for CI pipelines\n"
    "  sluicectl diff A B            which requests, made of their routes, bootstraps A and B treat otherwise.\n"
    "                              Exits 0 if there are none, 1 if there are, 2 if a file is refused\n"
    "    --requests FILE           asks for these, too: 'GET http://host/path', one a line\n"
    "    --security                only routes of B that are less protected than before\n"
    "  sluicectl explain 'GET URL'   what a proxy, or one with the bootstrap --file, does with a request\n"
    "  sluicectl policy HOST PATH    who gets in there, and where that is said\n"
    "\n"
    "  --control URL      the control plane's API (http://127.0.0.1:18001)\n"
    "  --admin URL        a proxy's admin address (http://127.0.0.1:9901)\n"
    "  --token-file FILE  what the control plane asks a writer for\n"
    "  --file FILE        explain, policy: ask this bootstrap, not the proxy at --admin\n"
    "  -H 'NAME: VALUE'   explain, policy: a header of the request; again for each\n"
    "  --listener NAME, --source IP, --sni NAME   explain, policy: how the request comes\n"
    "  --json             the answer as JSON\n"
    "  --wait             of apply: exit with 1 if not all connected proxies serve it in time\n"
    "  --timeout SECONDS  of apply --wait: 1 to 86400 (60)\n"
    "  --version, --help\n"
    "\n"
    "URL is http://HOST:PORT or unix:PATH. Exit codes: 0 done, 1 refused, 2 usage, 3 unreachable.\n";

int usageError(const std::string& message) {
  std::cerr << "sluicectl: " << message << "; see --help\n";
  return kUsage;
}

struct CommandLine {
  Settings settings;
  std::vector<std::string> words;
  std::string control = "http://127.0.0.1:18001";
  std::string admin = "http://127.0.0.1:9901";
  std::string token_file;
  std::string timeout;
  std::optional<std::chrono::seconds> wait;
  std::string junit, requests;
  bool security = false;
  bool by_xds = false;
  bool fields = false;
  std::string listener, source, sni;
  explain::Parameters headers;  // "header"

  // Empty, or what is wrong.
  std::string read(const std::vector<std::string>& arguments) {
    for (size_t i = 0; i < arguments.size(); ++i) {
      const std::string& argument = arguments[i];
      if (!argument.starts_with("-") || argument == "-") {
        words.push_back(argument);
        continue;
      }
      if (bool* flag = switchOf(argument); flag != nullptr) {
        *flag = true;
        continue;
      }
      if (argument == "-H") {
        if (i + 1 == arguments.size()) return "no value for -H";
        headers.emplace_back("header", arguments[++i]);
        continue;
      }
      if (argument == "--wait") {
        wait = std::chrono::seconds(60);
        continue;
      }
      const size_t equals = argument.find('=');
      std::string* target = targetOf(argument.substr(0, equals));
      if (target == nullptr) return "unknown flag " + argument;
      if (equals == std::string::npos && i + 1 == arguments.size()) return "no value for " + argument;
      *target = equals == std::string::npos ? arguments[++i] : argument.substr(equals + 1);
    }
    return resolve();
  }

 private:
  bool* switchOf(const std::string& flag) {
    if (flag == "--json") return &settings.json;
    if (flag == "--by-xds") return &by_xds;
    if (flag == "--fields") return &fields;
    if (flag == "--security") return &security;
    return nullptr;
  }

  std::string* targetOf(const std::string& flag) {
    if (flag == "--control") return &control;
    if (flag == "--admin") return &admin;
    if (flag == "--token-file") return &token_file;
    if (flag == "--timeout") return &timeout;
    if (flag == "--junit") return &junit;
    if (flag == "--requests") return &requests;
    if (flag == "--file") return &settings.file;
    if (flag == "--listener") return &listener;
    if (flag == "--source") return &source;
    if (flag == "--sni") return &sni;
    return nullptr;
  }

  std::string resolve() {
    for (const auto& [url, endpoint] : {std::pair(&control, &settings.control), std::pair(&admin, &settings.admin)}) {
      absl::StatusOr<Endpoint> parsed = parseUrl(*url);
      if (!parsed.ok()) return std::string(parsed.status().message());
      *endpoint = *std::move(parsed);
    }
    if (!timeout.empty()) {
      int64_t seconds = 0;
      if (!absl::SimpleAtoi(timeout, &seconds) || seconds < 1 || seconds > 86400) {
        return "--timeout " + timeout + " is no number of seconds from 1 to 86400";
      }
      if (!wait) return "--timeout belongs to --wait";
      wait = std::chrono::seconds(seconds);
    }
    if (wait && (words.empty() || words[0] != "apply")) return "--wait belongs to apply";
    if (token_file.empty()) return {};
    std::ifstream file(token_file);
    if (!std::getline(file, settings.token) || settings.token.empty()) {
      return "--token-file " + token_file + " cannot be read or is empty";
    }
    return {};
  }
};

// Of a request line, or an address without a scheme, which is asked over http.
ExitCode explainOf(const CommandLine& line, const std::string& request, bool policy_only) {
  explain::Parameters parameters{{"request", request}};
  parameters.insert(parameters.end(), line.headers.begin(), line.headers.end());
  for (const auto& [name, value] :
       {std::pair("listener", &line.listener), std::pair("source", &line.source), std::pair("sni", &line.sni)}) {
    if (!value->empty()) parameters.emplace_back(name, *value);
  }
  return explainRequest(line.settings, parameters, policy_only);
}

// "https://" may stand in front of HOST.
std::string urlOf(const std::string& host, const std::string& path) {
  return (host.find("://") == std::string::npos ? "http://" : "") + host + (path.starts_with('/') ? "" : "/") + path;
}

int run(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--help" || argument == "-h") {
      std::cout << kHelp;
      return kDone;
    }
    if (argument == "--version") {
      std::cout << "sluicectl version " << kVersion << "\n";
      return kDone;
    }
  }
  CommandLine line;
  if (const std::string problem = line.read(arguments); !problem.empty()) return usageError(problem);
  if (line.words.empty()) return usageError("no command");
  const std::string command = line.words[0];
  const size_t operands = line.words.size() - 1;
  const auto needs = [&](size_t least, size_t most) { return operands >= least && operands <= most; };
  const auto word = [&](size_t i) { return i < line.words.size() ? line.words[i] : std::string(); };
  if (command == "validate") {
    return needs(1, 1) ? validate(line.settings, word(1)) : usageError("validate takes one FILE or DIR");
  }
  if (command == "status") return needs(0, 0) ? status(line.settings) : usageError("status takes nothing");
  if (command == "load") {
    return needs(0, 1) ? load(line.settings, word(1)) : usageError("load takes perhaps a CLUSTER");
  }
  if (command == "config-dump")
    return needs(0, 0) ? configDump(line.settings) : usageError("config-dump takes nothing");
  if (command == "get") {
    return needs(1, 2) ? get(line.settings, word(1), word(2)) : usageError("get takes a TYPE and perhaps a NAME");
  }
  if (command == "apply") {
    return needs(1, 1) ? applyFile(line.settings, word(1), line.wait) : usageError("apply takes one FILE");
  }
  if (command == "explain") {
    return needs(1, 1) ? explainOf(line, word(1), false)
                       : usageError("explain takes one request: 'GET https://host/path'");
  }
  if (command == "policy") {
    return needs(2, 2) ? explainOf(line, urlOf(word(1), word(2)), true) : usageError("policy takes a HOST and a PATH");
  }
  if (command == "impact") {
    if (line.fields) return needs(0, 0) ? impactOfFields() : usageError("impact --fields takes no file");
    return needs(2, 2) ? impact(line.settings, word(1), word(2), line.by_xds) : usageError("impact takes two files");
  }
  if (command == "test") {
    return needs(1, 1) ? test(line.settings, word(1), line.junit) : usageError("test takes one FILE");
  }
  if (command == "diff") {
    return needs(2, 2) ? diff(line.settings, word(1), word(2), line.requests, line.security)
                       : usageError("diff takes two bootstraps");
  }
  return usageError("unknown command " + command);
}

}  // namespace
}  // namespace sluice::ctl

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return sluice::ctl::run({argv + 1, argv + argc});
}
