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

using Value = Components::Value;

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
  for (const char& c : base::percentEncoded(text, "*")) out += c == '~' ? "%7E" : std::string_view(&c, 1);
  return out;
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

Value Components::valueOf(const structured::Item& component) {
  const auto* const name = std::get_if<std::string>(&component.value);
  if (name == nullptr) return Failure::kComponent;
  if (name->starts_with('@')) return derived(*name, component.parameters);
  if (component.parameters.size() > 1) return Failure::kComponent;
  const structured::Parameter* const parameter = component.parameters.empty() ? nullptr : &component.parameters.front();
  const auto* const flag = parameter == nullptr ? nullptr : std::get_if<bool>(&parameter->value);
  if (flag != nullptr && *flag && parameter->key == "bs") return binary(*name, headers_);
  auto value = fieldValue(headers_, *name);
  if (!value) return Failure::kAbsent;
  if (parameter == nullptr) return *std::move(value);
  const auto* const key = std::get_if<std::string>(&parameter->value);
  if (parameter->key != "key" || key == nullptr) return Failure::kComponent;
  return member(*name, *value, *key);
}

Value Components::derived(std::string_view name, const structured::Parameters& parameters) {
  if (name == "@query-param") {
    const structured::Bare* const which = structured::find(parameters, "name");
    const auto* const text = which == nullptr ? nullptr : std::get_if<std::string>(which);
    if (text == nullptr || parameters.size() != 1) return Failure::kComponent;
    return queryParameter(*text);
  }
  if (!parameters.empty()) return Failure::kComponent;
  if (name == "@method") return std::string(headers_.method);
  if (name == "@authority") return authorityOf(headers_);
  if (name == "@scheme") return std::string(schemeOf(headers_));
  if (name == "@request-target") return std::string(targetOf(headers_));
  if (name == "@target-uri") {
    // Of CONNECT it is the authority alone.
    if (headers_.path.empty()) return std::string(headers_.authority);
    return base::strCat(schemeOf(headers_), "://", headers_.authority, headers_.path == "*" ? "" : headers_.path);
  }
  if (name == "@path") return headers_.pathOnly().empty() ? "/" : std::string(headers_.pathOnly());
  if (name == "@query") return base::strCat("?", http::queryOf(headers_.path).value_or(""));
  return Failure::kComponent;
}

Value Components::queryParameter(std::string_view name) {
  if (!query_) {
    query_.emplace();
    std::string_view query = http::queryOf(headers_.path).value_or("");
    while (!query.empty()) {
      const http::QueryParameter parameter = http::takeParameter(query);
      query_->emplace_back(base::formDecoded(parameter.name), parameter.value);
    }
  }
  const std::string decoded = base::percentDecoded(name);
  if (encoded(decoded) != name) return Failure::kAbsent;
  const auto isIt = [&decoded](const auto& parameter) { return parameter.first == decoded; };
  const auto found = std::find_if(query_->begin(), query_->end(), isIt);
  if (found == query_->end() || std::find_if(found + 1, query_->end(), isIt) != query_->end()) return Failure::kAbsent;
  return encoded(base::formDecoded(found->second));
}

Value Components::member(const std::string& name, std::string_view value, std::string_view key) {
  constexpr size_t kMost = 64;
  auto known = std::find_if(dictionaries_.begin(), dictionaries_.end(),
                            [&name](const auto& dictionary) { return dictionary.first == name; });
  if (known == dictionaries_.end()) {
    known = dictionaries_.emplace(known, name, structured::parseDictionary(value, kMost));
  }
  const structured::Member* const found = known->second ? structured::find(*known->second, key) : nullptr;
  if (found == nullptr) return Failure::kAbsent;
  return structured::serialize(found->value);
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
