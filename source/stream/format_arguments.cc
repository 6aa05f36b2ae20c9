#include "source/stream/format_arguments.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "source/base/text.h"

namespace sluice::stream {
namespace {

using Operator = FormatOperator;
using Spelling = FormatOperator::Spelling;

absl::Status wrong(const Spelling& spelling, std::string_view what) {
  return absl::InvalidArgumentError(base::strCat("%", spelling.name, "%: ", what));
}

HeaderName headerName(std::string_view spelled) {
  HeaderName out;
  out.lower = absl::AsciiStrToLower(base::toAbsl(spelled));
  out.id = http::nameOf(out.lower);
  using Pseudo = HeaderName::Pseudo;
  static constexpr std::pair<std::string_view, Pseudo> kPseudo[] = {
      {":method", Pseudo::kMethod}, {":path", Pseudo::kPath},     {":authority", Pseudo::kAuthority},
      {"host", Pseudo::kAuthority}, {":scheme", Pseudo::kScheme}, {":status", Pseudo::kStatus}};
  for (const auto& [name, pseudo] : kPseudo) {
    if (out.lower == name) out.pseudo = pseudo;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (true) {
    const size_t end = text.find(separator);
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

// An older form of arguments: ["FILTER", "KEY"]. Empty: they are no list of texts.
std::vector<std::string> textsOf(std::string_view list) {
  const auto json = nlohmann::json::parse(list.begin(), list.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) return {};
  std::vector<std::string> out;
  for (const auto& item : json) {
    if (!item.is_string()) return {};
    out.push_back(item.get<std::string>());
  }
  return out;
}

absl::Status compileTime(const Spelling& spelling, std::string_view format, TimeFormat::Zone zone, Operator& op) {
  if (spelling.has_limit) return wrong(spelling, "takes no maximum length");
  absl::StatusOr<TimeFormat> time = TimeFormat::compile(format, zone);
  if (!time.ok()) return wrong(spelling, base::toStd(time.status().message()));
  op.time = *std::move(time);
  return absl::OkStatus();
}

}  // namespace

absl::Status parseNothing(const Spelling& spelling, Operator&) {
  if (spelling.has_arguments && !spelling.arguments.empty()) return wrong(spelling, "takes no arguments");
  if (spelling.has_limit) return wrong(spelling, "takes no maximum length");
  return absl::OkStatus();
}

absl::Status parseHeaders(const Spelling& spelling, Operator& op) {
  if (spelling.arguments.empty()) return wrong(spelling, "names no header; write NAME or NAME?ALTERNATIVE");
  const std::vector<std::string_view> names = split(spelling.arguments, '?');
  if (names.size() > 2) return wrong(spelling, "at most one alternative header, after one '?'");
  for (const std::string_view name : names) {
    if (name.empty()) return wrong(spelling, "an empty header name beside '?'");
    if (name.find_first_of(" \t\r\n\"(),;") != std::string_view::npos || name.find(':', 1) != std::string_view::npos) {
      return wrong(spelling, base::strCat("'", name, "' is no header name"));
    }
    op.headers.push_back(headerName(name));
  }
  op.limit = spelling.limit;
  return absl::OkStatus();
}

absl::Status parsePath(const Spelling& spelling, Operator& op) {
  const std::vector<std::string_view> parts = split(spelling.arguments, ':');
  const std::string_view query = parts[0];
  const std::string_view which = parts.size() > 1 ? parts[1] : "";
  if (parts.size() > 2 || (query != "" && query != "WQ" && query != "NQ")) {
    return wrong(spelling, "the first argument is WQ (with query) or NQ (without)");
  }
  op.style = query == "NQ" ? 1 : 0;
  if (which == "" || which == "ORIG_OR_PATH") {
    op.headers = {headerName("x-envoy-original-path"), headerName(":path")};
  } else if (which == "ORIG") {
    op.headers = {headerName("x-envoy-original-path")};
  } else if (which == "PATH") {
    op.headers = {headerName(":path")};
  } else {
    return wrong(spelling, "the second argument is ORIG, PATH or ORIG_OR_PATH");
  }
  op.limit = spelling.limit;
  return absl::OkStatus();
}

absl::Status parseTime(const Spelling& spelling, Operator& op) {
  if (!spelling.arguments.empty()) return compileTime(spelling, spelling.arguments, TimeFormat::Zone::kUtc, op);
  if (spelling.has_limit) return wrong(spelling, "takes no maximum length");
  op.time = TimeFormat::iso8601();
  return absl::OkStatus();
}

absl::Status parseLocalTime(const Spelling& spelling, Operator& op) {
  const std::string_view format = spelling.arguments.empty() ? "%Y-%m-%dT%H:%M:%E3S%z" : spelling.arguments;
  return compileTime(spelling, format, TimeFormat::Zone::kLocal, op);
}

absl::Status parseEnvironment(const Spelling& spelling, Operator& op) {
  if (spelling.arguments.empty()) return wrong(spelling, "names no variable");
  const std::string name(spelling.arguments);
  const char* value = std::getenv(name.c_str());
  op.text = std::string_view(value == nullptr ? "" : value).substr(0, spelling.limit);
  return absl::OkStatus();
}

absl::Status parseHostname(const Spelling& spelling, Operator& op) {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) op.text = name.data();
  return parseNothing(spelling, op);
}

absl::Status parseMetadata(const Spelling& spelling, Operator& op) {
  std::vector<std::string_view> parts = split(spelling.arguments, ':');
  std::string_view source = spelling.name;
  std::vector<std::string> texts;
  if (source == "METADATA") {
    source = parts[0];
    parts.erase(parts.begin());
  } else if (absl::StripLeadingAsciiWhitespace(base::toAbsl(spelling.arguments)).substr(0, 1) == "[") {
    texts = textsOf(spelling.arguments);
    if (texts.empty()) return wrong(spelling, "has no list of texts; write FILTER:KEY");
    parts.assign(texts.begin(), texts.end());
  }
  if (source == "DYNAMIC" || source == "DYNAMIC_METADATA") {
    op.style = kDynamic;
  } else if (source == "ROUTE") {
    op.style = kOfRoute;
  } else if (source == "VIRTUAL_HOST") {
    op.style = kOfVirtualHost;
  } else if (source == "CLUSTER" || source == "CLUSTER_METADATA") {
    op.style = kOfCluster;
  } else if (source == "UPSTREAM_HOST" || source == "UPSTREAM_METADATA") {
    op.style = kOfHost;
  } else if (source == "LISTENER") {
    op.style = kOfListener;
  } else if (source == "LISTENER_FILTER_CHAIN") {
    op.style = kOfFilterChain;
  } else {
    return wrong(spelling,
                 "only DYNAMIC, ROUTE, VIRTUAL_HOST, CLUSTER, UPSTREAM_HOST, LISTENER and LISTENER_FILTER_CHAIN "
                 "metadata can be read; write METADATA(DYNAMIC:FILTER:KEY)");
  }
  if (parts.empty() || parts[0].empty()) return wrong(spelling, "names no filter; write FILTER:KEY");
  op.text = parts[0];
  op.path.assign(parts.begin() + 1, parts.end());
  op.limit = spelling.limit;
  return absl::OkStatus();
}

absl::Status parseFilterState(const Spelling& spelling, Operator& op) {
  const std::vector<std::string_view> parts = split(spelling.arguments, ':');
  if (parts[0].empty()) return wrong(spelling, "names no object");
  const bool whole = parts.size() == 1 || (parts.size() == 2 && (parts[1] == "PLAIN" || parts[1] == "TYPED"));
  if (!whole) {
    if (parts.size() != 3 || parts[1] != "FIELD" || parts[2].empty()) {
      return wrong(spelling, "write NAME, NAME:PLAIN, NAME:TYPED or NAME:FIELD:FIELD_NAME");
    }
    op.path.assign({std::string(parts[2])});
  }
  op.text = parts[0];
  op.limit = spelling.limit;
  return absl::OkStatus();
}

// An older name of FILTER_STATE(NAME:PLAIN).
absl::Status parsePerRequestState(const Spelling& spelling, Operator& op) {
  if (spelling.arguments.empty()) return wrong(spelling, "names no object");
  if (spelling.has_limit) return wrong(spelling, "takes no maximum length");
  op.text = spelling.arguments;
  return absl::OkStatus();
}

absl::Status parseGrpcStatus(const Spelling& spelling, Operator& op) {
  const std::string_view style = spelling.arguments;
  if (spelling.name == "GRPC_STATUS_NUMBER" || style == "NUMBER") {
    op.style = kNumber;
  } else if (style.empty() || style == "CAMEL_STRING") {
    op.style = kCamel;
  } else if (style == "SNAKE_STRING") {
    op.style = kSnake;
  } else {
    return wrong(spelling, "the argument is CAMEL_STRING, SNAKE_STRING or NUMBER");
  }
  return absl::OkStatus();
}

absl::Status parsePrefixLength(const Spelling& spelling, Operator& op) {
  if (spelling.has_limit) return wrong(spelling, "takes no maximum length");
  if (!spelling.has_arguments) return absl::OkStatus();
  const std::string_view text = spelling.arguments;
  uint8_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc() || end != text.data() + text.size() || length > 128) {
    return wrong(spelling, "the argument is how many bits of the address are kept: 0 to 32 of IPv4, 0 to 128 of IPv6");
  }
  op.prefix_length = length;
  return absl::OkStatus();
}

absl::Status parseDetails(const Spelling& spelling, Operator& op) {
  if (spelling.has_limit) return wrong(spelling, "takes no maximum length");
  if (!spelling.arguments.empty() && spelling.arguments != "ALLOW_WHITESPACES") {
    return wrong(spelling, "the argument is ALLOW_WHITESPACES");
  }
  op.style = spelling.arguments.empty() ? kUnderscores : kAsItIs;
  return absl::OkStatus();
}

absl::Status parseServerName(const Spelling& spelling, Operator& op) {
  if (spelling.has_limit) return wrong(spelling, "takes no maximum length");
  const std::vector<std::string_view> parts = split(spelling.arguments, ':');
  if (parts.size() > 2) return wrong(spelling, "takes two arguments at most");
  if (parts[0].empty() || parts[0] == "SNI_ONLY") {
    op.style = kSniOnly;
  } else if (parts[0] == "SNI_FIRST") {
    op.style = kSniFirst;
  } else if (parts[0] == "HOST_FIRST") {
    op.style = kHostFirst;
  } else {
    return wrong(spelling, "the first argument is SNI_ONLY, SNI_FIRST or HOST_FIRST");
  }
  const std::string_view which = parts.size() > 1 ? parts[1] : "";
  if (which == "" || which == "ORIG_OR_HOST") {
    op.headers = {headerName("x-envoy-original-host"), headerName(":authority")};
  } else if (which == "ORIG") {
    op.headers = {headerName("x-envoy-original-host")};
  } else if (which == "HOST") {
    op.headers = {headerName(":authority")};
  } else {
    return wrong(spelling, "the second argument is ORIG, HOST or ORIG_OR_HOST");
  }
  return absl::OkStatus();
}

absl::Status parseQueryParameter(const Spelling& spelling, Operator& op) {
  if (spelling.arguments.empty()) return wrong(spelling, "names no parameter");
  op.text = spelling.arguments;
  op.limit = spelling.limit;
  return absl::OkStatus();
}

absl::Status parseQuery(const Spelling& spelling, Operator& op) {
  if (spelling.arguments.empty() || spelling.arguments == "ORIG") {
    op.style = kOriginal;
  } else if (spelling.arguments == "DECODED") {
    op.style = kDecoded;
  } else {
    return wrong(spelling, "the argument is ORIG or DECODED");
  }
  op.limit = spelling.limit;
  return absl::OkStatus();
}

}  // namespace sluice::stream
