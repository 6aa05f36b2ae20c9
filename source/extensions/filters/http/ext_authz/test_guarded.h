// A filter that asks an HTTP service, and what the service says, for tests.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "source/extensions/filters/http/ext_authz/filter.h"
#include "test/support/filter/harness.h"

namespace sluice::extensions::http_filters::ext_authz {

using filter::HttpCallResponse;
using filter::testing::Fields;
using filter::testing::Harness;

inline NameMatcher names(std::initializer_list<const char*> exact) {
  NameMatcher out;
  for (const char* name : exact) {
    match::StringMatcher pattern;
    pattern.text = name;
    pattern.ignore_case = true;
    out.patterns.push_back(pattern);
  }
  return out;
}

inline NameMatcher prefix(const char* text) {
  NameMatcher out = names({text});
  out.patterns[0].kind = match::StringMatcher::Kind::kPrefix;
  return out;
}

inline Settings basic() {
  Settings s;
  s.cluster = "authz";
  s.path_prefix = "/check";
  s.timeout = std::chrono::milliseconds(250);
  s.stats = {{1}, {2}, {3}, {4}, {5}};
  return s;
}

struct Guarded : Harness {
  explicit Guarded(Settings settings, std::shared_ptr<const route::PerFilterConfig> route = nullptr)
      : Harness({std::make_shared<FilterFactory>(std::move(settings))}, {std::move(route)}) {}
  int ok() { return counted({1}); }
  int denied() { return counted({2}); }
  int errors() { return counted({3}); }
  int disabled() { return counted({4}); }
  int failureModeAllowed() { return counted({5}); }
  // In the filter state; empty: nothing.
  std::string_view noted() {
    const auto* text =
        stream.info().filterState().get<stream::FilterState::Text>("envoy.filters.http.ext_authz.shadow");
    return text == nullptr ? std::string_view() : text->text();
  }
  bool flagged() { return stream.info().response_flags.has(stream::ResponseFlag::kUnauthorizedExternalService); }
};

inline HttpCallResponse answer(uint16_t status, Fields headers = {}, std::string body = "") {
  HttpCallResponse out;
  out.status = status;
  out.headers = std::move(headers);
  out.body = std::move(body);
  return out;
}

inline HttpCallResponse failure(std::string_view why) {
  HttpCallResponse out;
  out.failure = why;
  return out;
}

inline bool has(const Fields& fields, const std::string& name) {
  for (const auto& field : fields) {
    if (field.first == name) return true;
  }
  return false;
}

}  // namespace sluice::extensions::http_filters::ext_authz
