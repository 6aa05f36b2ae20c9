#include "source/extensions/filters/http/hmac_auth/component.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/http/query.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

namespace structured = http::structured;

using Value = std::variant<std::string, Failure>;

std::string_view schemeOf(const http::RequestHeaders& headers) {
  return headers.get(http::Name::kXForwardedProto).value_or(headers.scheme);
}

// Without the port that the scheme stands for.
std::string authorityOf(const http::RequestHeaders& headers) {
  std::string out = absl::AsciiStrToLower(base::toAbsl(headers.authority));
  const std::string_view port = schemeOf(headers) == "https" ? ":443" : ":80";
  if (out.ends_with(port)) out.resize(out.size() - port.size());
  return out;
}

std::string_view targetOf(const http::RequestHeaders& headers) {
  return headers.path.empty() ? headers.authority : headers.path;
}

// As HTML's forms write it, but "%20" for a space. (section 2.2.8)
std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : base::percentEncoded(text, "*")) out += c == '~' ? std::string("%7E") : std::string(1, c);
  return out;
}

Value queryParameter(std::string_view path, std::string_view name) {
  std::optional<std::string> out;
  std::string_view query = http::queryOf(path).value_or("");
  while (!query.empty()) {
    const http::QueryParameter parameter = http::takeParameter(query);
    if (encoded(base::formDecoded(parameter.name)) != name) continue;
    if (out) return Failure::kAbsent;
    out = encoded(base::formDecoded(parameter.value));
  }
  if (!out) return Failure::kAbsent;
  return *std::move(out);
}

Value derived(std::string_view name, const structured::Parameters& parameters, const http::RequestHeaders& headers) {
  if (name == "@query-param") {
    const structured::Bare* const which = structured::find(parameters, "name");
    const auto* const text = which == nullptr ? nullptr : std::get_if<std::string>(which);
    if (text == nullptr || parameters.size() != 1) return Failure::kComponent;
    return queryParameter(headers.path, *text);
  }
  if (!parameters.empty()) return Failure::kComponent;
  if (name == "@method") return std::string(headers.method);
  if (name == "@authority") return authorityOf(headers);
  if (name == "@scheme") return std::string(schemeOf(headers));
  if (name == "@request-target") return std::string(targetOf(headers));
  if (name == "@target-uri") {
    // Of CONNECT it is the authority alone.
    if (headers.path.empty()) return std::string(headers.authority);
    return base::strCat(schemeOf(headers), "://", headers.authority, headers.path == "*" ? "" : headers.path);
  }
  if (name == "@path") return headers.pathOnly().empty() ? "/" : std::string(headers.pathOnly());
  if (name == "@query") return base::strCat("?", http::queryOf(headers.path).value_or(""));
  return Failure::kComponent;
}

// Each value by itself, so that no comma in one can look like two of them.
Value binary(std::string_view name, const http::RequestHeaders& headers) {
  std::string out;
  for (const http::Field& field : headers) {
    if (field.name != name) continue;
    base::strAppend(out, out.empty() ? ":" : ", :", absl::Base64Escape(base::toAbsl(field.value)), ":");
  }
  if (out.empty()) return Failure::kAbsent;
  return out;
}

Value member(const std::string& field, std::string_view key) {
  constexpr size_t kMost = 64;
  const auto dictionary = structured::parseDictionary(field, kMost);
  const structured::Member* const found = dictionary ? structured::find(*dictionary, key) : nullptr;
  if (found == nullptr) return Failure::kAbsent;
  return structured::serialize(found->value);
}

}  // namespace

std::optional<std::string> fieldValue(const http::RequestHeaders& headers, std::string_view name) {
  if (name == "host") return headers.authority.empty() ? std::nullopt : std::optional(std::string(headers.authority));
  std::optional<std::string> out;
  for (const http::Field& field : headers) {
    if (field.name != name) continue;
    if (out) {
      base::strAppend(*out, ", ", field.value);
    } else {
      out = field.value;
    }
  }
  return out;
}

Value valueOf(const structured::Item& component, const http::RequestHeaders& headers) {
  const auto* const name = std::get_if<std::string>(&component.value);
  if (name == nullptr) return Failure::kComponent;
  if (name->starts_with('@')) return derived(*name, component.parameters, headers);
  if (component.parameters.size() > 1) return Failure::kComponent;
  const structured::Parameter* const parameter = component.parameters.empty() ? nullptr : &component.parameters.front();
  const auto* const flag = parameter == nullptr ? nullptr : std::get_if<bool>(&parameter->value);
  if (flag != nullptr && *flag && parameter->key == "bs") return binary(*name, headers);
  auto value = fieldValue(headers, *name);
  if (!value) return Failure::kAbsent;
  if (parameter == nullptr) return *std::move(value);
  const auto* const key = std::get_if<std::string>(&parameter->value);
  if (parameter->key != "key" || key == nullptr) return Failure::kComponent;
  return member(*value, *key);
}

bool covers(const structured::Item& component, std::string_view required) {
  const auto* const name = std::get_if<std::string>(&component.value);
  if (name == nullptr) return false;
  if (!component.parameters.empty()) {
    return *name == required && !name->starts_with('@') && component.parameters.front().key == "bs";
  }
  if (*name == required) return true;
  const bool in_target = required == "@path" || required == "@query" || required == "@request-target";
  const bool in_uri = in_target || required == "@authority" || required == "@scheme";
  return (*name == "@target-uri" && in_uri) || (*name == "@request-target" && in_target);
}

}  // namespace sluice::extensions::http_filters::hmac_auth
