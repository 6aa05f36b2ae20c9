#include "source/extensions/filters/http/hmac_auth/authorization_signature.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "source/base/ascii.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/hmac_auth/component.h"
#include "source/http/date.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

constexpr size_t kMaxLines = 32;
constexpr std::string_view kRequestLine = "request-line";
constexpr std::string_view kRequestTarget = "@request-target";

struct Parameters {
  std::optional<std::string_view> username, algorithm, headers, signature;

  std::optional<std::string_view>* named(std::string_view name) {
    if (name == "username") return &username;
    if (name == "algorithm") return &algorithm;
    if (name == "headers") return &headers;
    if (name == "signature") return &signature;
    return nullptr;
  }
};

// Each once, in any order, in quotes without escapes.
std::optional<Parameters> readParameters(std::string_view text) {
  Parameters out;
  for (bool first = true; first || !text.empty(); first = false) {
    if (!first) {
      if (!text.starts_with(',')) return std::nullopt;
      text = http::withoutSpaces(text.substr(1));
    }
    const size_t begin = text.find("=\"");
    const size_t end = begin == std::string_view::npos ? begin : text.find('"', begin + 2);
    if (end == std::string_view::npos) return std::nullopt;
    std::optional<std::string_view>* const place = out.named(text.substr(0, begin));
    if (place == nullptr || *place) return std::nullopt;
    *place = text.substr(begin + 2, end - begin - 2);
    text = http::withoutSpaces(text.substr(end + 1));
  }
  const bool whole = out.username && out.algorithm && out.headers && out.signature;
  return whole ? std::optional(out) : std::nullopt;
}

// nullopt: none, too many, or one of them twice.
std::optional<std::vector<std::string_view>> readLines(std::string_view names) {
  std::vector<std::string_view> out;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(' '));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    if (out.size() == kMaxLines || !http::validLowerName(name == kRequestTarget ? name.substr(1) : name) ||
        std::find(out.begin(), out.end(), name) != out.end())
      return std::nullopt;
    out.push_back(name);
  }
  return out.empty() ? std::nullopt : std::optional(std::move(out));
}

bool has(const std::vector<std::string_view>& lines, std::string_view name) {
  return std::find(lines.begin(), lines.end(), name) != lines.end();
}

bool signsAll(const std::vector<std::string_view>& lines, const AuthorizationRules& rules) {
  if (rules.required.empty()) return has(lines, kRequestLine) || has(lines, kRequestTarget);
  return std::all_of(rules.required.begin(), rules.required.end(),
                     [&lines](const std::string& name) { return has(lines, name); });
}

// nullopt: it says when it was made, and that is now.
std::optional<Failure> checkTime(const http::RequestHeaders& headers, const std::vector<std::string_view>& lines,
                                 std::chrono::seconds clock_skew, Seconds now) {
  const std::string_view name = has(lines, "x-date") ? "x-date" : "date";
  if (!has(lines, name)) return Failure::kUnsigned;
  const auto date = http::parseDate(fieldValue(headers, name).value_or(""), now);
  if (!date) return Failure::kUndated;
  if (*date < now - clock_skew || *date > now + clock_skew) return Failure::kStale;
  return std::nullopt;
}

// With the minor version, too.
std::string_view versionOf(http::Protocol protocol) {
  switch (protocol) {
    case http::Protocol::kHttp10:
      return "HTTP/1.0";
    case http::Protocol::kHttp11:
      return "HTTP/1.1";
    case http::Protocol::kHttp2:
      return "HTTP/2.0";
    case http::Protocol::kHttp3:
      return "HTTP/3.0";
  }
  return "";
}

std::variant<std::string, Failure> signedText(const std::vector<std::string_view>& lines,
                                              const http::RequestHeaders& headers) {
  const std::string_view target = headers.path.empty() ? headers.authority : headers.path;
  std::string out;
  for (const std::string_view name : lines) {
    if (!out.empty()) out += '\n';
    if (name == kRequestLine) {
      base::strAppend(out, headers.method, " ", target, " ", versionOf(headers.protocol));
    } else if (name == kRequestTarget) {
      base::strAppend(out, name, ": ", absl::AsciiStrToLower(base::toAbsl(headers.method)), " ", target);
    } else {
      const auto value = fieldValue(headers, name);
      if (!value) return Failure::kAbsent;
      base::strAppend(out, name, ": ", *value);
    }
  }
  return out;
}

std::variant<SignedRequest, Failure> read(std::string_view parameters_text, const http::RequestHeaders& headers,
                                          bool has_body, const AuthorizationRules& rules, Seconds now) {
  const auto parameters = readParameters(http::withoutSpaces(parameters_text));
  const auto lines = parameters ? readLines(*parameters->headers) : std::nullopt;
  SignedRequest out;
  if (!lines || !absl::Base64Unescape(base::toAbsl(*parameters->signature), &out.signature) ||
      absl::Base64Escape(out.signature) != *parameters->signature)
    return Failure::kMalformed;
  out.key_id = *parameters->username;
  const auto hash = hashNamed(*parameters->algorithm);
  if (!hash || std::find(rules.hashes.begin(), rules.hashes.end(), *hash) == rules.hashes.end())
    return Failure::kAlgorithm;
  out.algorithm = *parameters->algorithm;
  out.hash = hash;
  if (const auto failure = checkTime(headers, *lines, rules.clock_skew, now)) return *failure;
  if (!signsAll(*lines, rules)) return Failure::kUnsigned;
  if (rules.digest_required && has_body && !has(*lines, "digest")) return Failure::kUnsigned;
  auto text = signedText(*lines, headers);
  if (const auto* const failure = std::get_if<Failure>(&text)) return *failure;
  out.text = std::get<std::string>(std::move(text));
  if (!has(*lines, "digest")) return out;
  out.digest = BodyDigest::readDigest(fieldValue(headers, "digest").value_or(""));
  if (!out.digest) return Failure::kDigest;
  return out;
}

}  // namespace

std::optional<std::string_view> hmacParameters(std::string_view value) {
  constexpr std::string_view kScheme = "hmac ";
  if (!base::equalsIgnoringCase(value.substr(0, kScheme.size()), kScheme)) return std::nullopt;
  return value.substr(kScheme.size());
}

std::variant<SignedRequest, Failure> readAuthorizationSignature(const http::RequestHeaders& headers, bool has_body,
                                                                const AuthorizationRules& rules, Seconds now) {
  for (const std::string_view name : kAuthorizationFields) {
    std::optional<std::string_view> parameters;
    for (const http::Field& field : headers) {
      if (field.name != name) continue;
      const auto found = hmacParameters(field.value);
      if (!found) continue;
      if (parameters) return Failure::kMalformed;
      parameters = found;
    }
    if (parameters) return read(*parameters, headers, has_body, rules, now);
  }
  return Failure::kMissing;
}

}  // namespace sluice::extensions::http_filters::hmac_auth
