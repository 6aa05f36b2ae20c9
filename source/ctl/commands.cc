#include "source/ctl/commands.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <sstream>
#include <thread>

#include "nlohmann/json.hpp"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/ctl/render.h"

namespace sluice::ctl {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kReadLimit{10};
constexpr std::chrono::seconds kApplyLimit{60};
// Between two looks at the status, at first and at most: that of a large fleet is large.
constexpr std::chrono::milliseconds kFirstPause{100}, kLongestPause{1000};

// The answer's body if the call was done; otherwise says why not and sets `code`.
std::optional<std::string> ask(const Endpoint& endpoint, const Call& call, std::chrono::seconds limit, ExitCode& code) {
  const absl::StatusOr<Reply> reply = fetch(endpoint, call, limit);
  if (!reply.ok()) {
    std::cerr << "sluicectl: " << reply.status().message() << "\n";
    code = kUnreachable;
    return std::nullopt;
  }
  if (reply->status == 200) {
    code = kDone;
    return reply->body;
  }
  const json body = json::parse(reply->body, nullptr, /*allow_exceptions=*/false);
  const bool told = body.is_object() && body.contains("error") && body["error"].is_string();
  std::cerr << (told ? body["error"].get<std::string>() : reply->body) << "\n"
            << "sluicectl: " << endpoint.url << call.target << " answered " << reply->status << "\n";
  code = kRefused;
  return std::nullopt;
}

std::string withNewline(std::string text) {
  if (!text.empty() && text.back() != '\n') text.push_back('\n');
  return text;
}

// Prints the body as it came, or in `render`'s form.
ExitCode show(const Settings& settings, const Endpoint& endpoint, const std::string& target,
              std::string (*render)(const json&)) {
  ExitCode code = kDone;
  const auto body = ask(endpoint, {.target = target}, kReadLimit, code);
  if (!body) return code;
  const json parsed = json::parse(*body, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) {
    std::cerr << "sluicectl: " << endpoint.url << target << " did not answer in JSON; is it the right address?\n";
    return kRefused;
  }
  std::cout << (settings.json || render == nullptr ? withNewline(*body) : render(parsed));
  return code;
}

}  // namespace

ExitCode status(const Settings& settings) {
  return show(settings, settings.control, "/api/v1/status", renderStatus);
}

ExitCode load(const Settings& settings, std::string_view cluster) {
  std::string target = "/api/v1/load";
  if (!cluster.empty()) base::strAppend(target, "?cluster=", base::percentEncoded(cluster));
  return show(settings, settings.control, target, renderLoad);
}

ExitCode configDump(const Settings& settings) {
  return show(settings, settings.admin, "/config_dump", nullptr);
}

ExitCode get(const Settings& settings, std::string_view type, std::string_view name) {
  std::string target = base::strCat("/api/v1/resources?type=", base::percentEncoded(type));
  if (name.empty()) return show(settings, settings.control, target, renderResources);
  // One resource is asked for to be read: its body, not a line of a table.
  return show(settings, settings.control, target + "&name=" + base::percentEncoded(name), nullptr);
}

namespace {

// Says at the end how the fleet stands, whatever came of it.
ExitCode waitUntilServed(const Settings& settings, const std::string& version, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  std::chrono::milliseconds pause = kFirstPause;
  while (true) {
    ExitCode code = kDone;
    const auto body = ask(settings.control, {.target = "/api/v1/status"}, kReadLimit, code);
    if (!body) return code;
    const json status = json::parse(*body, nullptr, /*allow_exceptions=*/false);
    const Wait found = judge(status, version);
    const bool over = std::chrono::steady_clock::now() >= deadline;
    if (found == Wait::kGoOn && !over) {
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 3 / 2, kLongestPause);
      continue;
    }
    std::cout << (settings.json ? withNewline(*body) : fleetLine(status) + "\n");
    if (found == Wait::kServed) return kDone;
    std::cerr << "sluicectl: "
              << (found == Wait::kReplaced ? "another version has taken its place"
                  : found == Wait::kGoOn   ? base::strCat("not all proxies serve it after ", limit.count(), " s")
                                           : std::string("not all proxies serve it"))
              << "\n";
    return kRefused;
  }
}

}  // namespace

ExitCode applyFile(const Settings& settings, const std::string& path, std::optional<std::chrono::seconds> wait) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || (file.peek() != std::ifstream::traits_type::eof() && !(text << file.rdbuf()))) {
    std::cerr << "sluicectl: " << path << " cannot be read\n";
    return kUsage;
  }
  const std::string name = std::filesystem::path(path).filename().string();
  ExitCode code = kDone;
  const auto body = ask(settings.control,
                        {.method = "POST",
                         .target = base::strCat("/api/v1/resources?file=", base::percentEncoded(name)),
                         .token = settings.token,
                         .body = text.str()},
                        kApplyLimit, code);
  if (!body) return code;
  const json parsed = json::parse(*body, nullptr, /*allow_exceptions=*/false);
  const bool readable = parsed.is_object() && parsed.contains("version") && parsed["version"].is_string();
  if (wait && (!readable || !parsed.contains("generation") || !parsed["generation"].is_number_integer())) {
    std::cerr << "sluicectl: the control plane tells no generation to wait for; it is older than this program\n";
    return kRefused;
  }
  if (settings.json || !readable) {
    if (!wait) std::cout << withNewline(*body);
  } else {
    std::cerr << warningLines(parsed);
    std::cout << parsed.value("file", name) << " applied; version " << parsed.value("version", "?") << "\n";
  }
  if (!wait) return code;
  std::cout << std::flush;
  return waitUntilServed(settings, parsed["version"].get<std::string>(), *wait);
}

}  // namespace sluice::ctl
