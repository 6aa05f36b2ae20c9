#include "source/explain/request.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "source/base/arena.h"
#include "source/base/host_port.h"
#include "source/base/text.h"
#include "source/http/rules.h"

namespace sluice::explain {
namespace {

// Of the connection and the framing: no route sees them.
constexpr auto kOfConnection = std::to_array<std::string_view>(
    {"connection", "expect", "http2-settings", "keep-alive", "proxy-connection", "transfer-encoding"});
constexpr std::string_view kForm = "write 'GET https://host/path', or the URL alone";

absl::Status wrong(std::string_view what, std::string_view why) {
  return absl::InvalidArgumentError(base::strCat(what, " ", why));
}

bool validAuthority(std::string_view text) {
  base::Arena arena;
  return http::validAuthority({http::copyPadded(arena, text), text.size()});
}

bool validTarget(std::string_view text) {
  base::Arena arena;
  return http::validTarget({http::copyPadded(arena, text), text.size()});
}

// A port that is there has to be one.
bool validPort(std::string_view authority) {
  const base::HostPort parts = base::splitHostPort(authority);
  uint32_t port = 0;
  return !parts.has_port || (absl::SimpleAtoi(base::toAbsl(parts.port), &port) && port > 0 && port < 65536);
}

absl::Status readUrl(std::string_view url, Request& out) {
  for (const std::string_view scheme : {"http", "https"}) {
    const std::string_view rest = url.substr(std::min(url.size(), scheme.size()));
    if (!url.starts_with(scheme) || !rest.starts_with("://")) continue;
    out.scheme = scheme;
    const std::string_view target = rest.substr(3);
    const size_t end = target.find_first_of("/?");
    out.authority = target.substr(0, end);
    const std::string_view path = end == std::string_view::npos ? std::string_view() : target.substr(end);
    out.path = path.starts_with('/') ? std::string(path) : base::strCat("/", path);
    if (!validAuthority(out.authority) || !validPort(out.authority)) {
      return wrong("request: the URL", "has no valid host; write https://host/path, without user information");
    }
    if (!validTarget(out.path)) {
      return wrong("request: the path", "has a space, a '#' or bytes beyond ASCII; percent-encode them");
    }
    return absl::OkStatus();
  }
  return wrong("request:", base::strCat("the URL does not begin with http:// or https://; ", kForm));
}

absl::Status readConnect(std::string_view target, Request& out) {
  if (!validAuthority(target) || !http::namesPort(target)) {
    return wrong("request:", "CONNECT asks for host:port; write 'CONNECT host:443'");
  }
  out.authority = target;
  out.path.clear();
  return absl::OkStatus();
}

absl::Status readLine(std::string_view line, Request& out) {
  if (line.size() > kMaxTarget) return wrong("request:", base::strCat("is longer than ", kMaxTarget, " bytes"));
  line = http::withoutSpaces(line);
  const size_t space = line.find(' ');
  if (space != std::string_view::npos) {
    out.method = line.substr(0, space);
    if (!http::validMethod(out.method)) return wrong("request:", base::strCat("begins with no method; ", kForm));
    line = http::withoutSpaces(line.substr(space));
  }
  if (line.empty()) return wrong("request:", base::strCat("has no URL; ", kForm));
  return out.method == "CONNECT" ? readConnect(line, out) : readUrl(line, out);
}

// What the codec makes of a field.
absl::Status addHeader(std::string_view line, size_t number, bool& has_host, Request& out) {
  const std::string at = base::strCat("header ", number, ":");
  const size_t colon = line.find(':', line.starts_with(':') ? 1 : 0);
  if (colon == std::string_view::npos) return wrong(at, "has no colon; write 'name: value'");
  std::string name = absl::AsciiStrToLower(base::toAbsl(line.substr(0, colon)));
  const std::string_view value = http::withoutSpaces(line.substr(colon + 1));
  if (name.starts_with(':')) return wrong(at, "is a pseudo-header; they are made of the request line");
  if (!http::validLowerName(name)) return wrong(at, "has no valid name in front of its colon; write 'name: value'");
  if (!http::validValue(value)) return wrong(at, base::strCat("'", name, "' has a control character in its value"));
  if (name == "host") {
    if (std::exchange(has_host, true)) return wrong(at, "'host' is there twice; keep one");
    if (!validAuthority(value) || !validPort(value)) return wrong(at, "'host' is no valid host");
    out.authority = value;
  } else if (name == "upgrade") {
    http::forEachElement(value, [&out](std::string_view protocol) {
      const std::string lower = absl::AsciiStrToLower(base::toAbsl(protocol));
      if (out.upgrade.empty() && lower != "h2c") out.upgrade = lower;
    });
  } else if (std::find(kOfConnection.begin(), kOfConnection.end(), name) == kOfConnection.end()) {
    out.headers.emplace_back(std::move(name), value);
  }
  return absl::OkStatus();
}

uint16_t portOf(const Request& request) {
  uint32_t port = 0;
  if (absl::SimpleAtoi(base::toAbsl(base::splitHostPort(request.authority).port), &port) && port < 65536) {
    return static_cast<uint16_t>(port);
  }
  return request.scheme == "https" ? 443 : 80;
}

absl::Status readSource(std::string_view text, Request& out) {
  if (const auto ip = net::Address::fromIp(text, 0)) {
    out.source = *ip;
    return absl::OkStatus();
  }
  const absl::StatusOr<net::Address> address = net::Address::parse(text);
  if (!address.ok() || !address->isIp()) return wrong("source:", "is no IP address, with or without a port");
  out.source = *address;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Request> requestOf(const Parameters& parameters) {
  Request out;
  std::set<std::string_view> seen;
  size_t headers = 0, bytes = 0;
  // First: a `host` header is said instead of what the URL says.
  for (const auto& [name, value] : parameters) {
    if (name != "header" && !seen.insert(name).second) return wrong(name + ":", "is there twice; keep one");
    if (name != "request") continue;
    if (absl::Status status = readLine(value, out); !status.ok()) return status;
  }
  if (!seen.contains("request")) return wrong("request:", base::strCat("is missing; ", kForm));
  out.port = portOf(out);
  const std::string url_host(base::splitHostPort(out.authority).bareHost());
  bool has_host = false;
  for (const auto& [name, value] : parameters) {
    absl::Status status;
    if (name == "header") {
      bytes += value.size();
      if (++headers > kMaxHeaders || bytes > kMaxHeaderBytes) {
        return wrong("header:", base::strCat("at most ", kMaxHeaders, " with ", kMaxHeaderBytes, " bytes are taken"));
      }
      status = addHeader(value, headers, has_host, out);
    } else if (name == "listener") {
      out.listener = value;
    } else if (name == "source") {
      status = readSource(value, out);
    } else if (name == "sni") {
      out.sni = absl::AsciiStrToLower(value);
      if (!validAuthority(out.sni) || base::splitHostPort(out.sni).has_port) status = wrong("sni:", "is no host name");
    } else if (name != "request") {
      status = wrong("there is", "no such parameter; known are request, header, listener, source, sni");
    }
    if (!status.ok()) return status;
  }
  if (!out.source) out.source = *net::Address::fromIp("127.0.0.1", 0);
  if (out.sni.empty() && out.scheme == "https" && !net::Address::fromIp(url_host, 0)) {
    out.sni = absl::AsciiStrToLower(url_host);
  }
  return out;
}

}  // namespace sluice::explain
