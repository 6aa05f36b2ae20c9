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
    "\n"
    "  --control URL      the control plane's API (http://127.0.0.1:18001)\n"
    "  --admin URL        a proxy's admin address (http://127.0.0.1:9901)\n"
    "  --token-file FILE  what the control plane asks a writer for\n"
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

  // Empty, or what is wrong.
  std::string read(const std::vector<std::string>& arguments) {
    for (size_t i = 0; i < arguments.size(); ++i) {
      const std::string& argument = arguments[i];
      if (!argument.starts_with("-") || argument == "-") {
        words.push_back(argument);
        continue;
      }
      if (argument == "--json") {
        settings.json = true;
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
  std::string* targetOf(const std::string& flag) {
    if (flag == "--control") return &control;
    if (flag == "--admin") return &admin;
    if (flag == "--token-file") return &token_file;
    if (flag == "--timeout") return &timeout;
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
  return usageError("unknown command " + command);
}

}  // namespace
}  // namespace sluice::ctl

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return sluice::ctl::run({argv + 1, argv + argc});
}
