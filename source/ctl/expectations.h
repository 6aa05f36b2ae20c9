// What requests are expected to meet in a configuration, from a file of people, and what they meet instead.
//
//   config: sluice.yaml             # beside the file; --file says otherwise
//   tests:
//   - name: carts have a service of their own
//     request: {method: GET, url: "https://shop.example/cart", headers: {x-user: a}, source: 10.0.0.1}
//     expect: {cluster: cart, filters: {jwt: enabled}, request_headers: {x-shop: "1"}}
//
// Thread: any.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/config/errors.h"
#include "source/explain/explanation.h"
#include "source/explain/request.h"

namespace sluice::ctl {

struct Expectation {
  std::string name;  // the request, if nobody gave one
  int line = 0;
  std::string asked;  // "GET https://shop.example/cart"
  explain::Request request;
  // Of what is to come; nullopt: nothing is said of it.
  std::optional<std::string> listener, filter_chain, virtual_host, route, cluster, path, redirect;
  std::optional<int64_t> status;           // of an answer by the proxy itself
  std::map<std::string, double> clusters;  // percents of a split
  std::map<std::string, bool> filters;     // by name: enabled or not
  // Changes that are made: a value that is set or added, or nullopt for a header that is removed.
  std::map<std::string, std::optional<std::string>> request_headers, response_headers;
};

struct Expectations {
  std::string config;  // as written; empty: not said
  std::vector<Expectation> tests;
};

// YAML, or JSON by the end of the name. Nullopt after adding to `errors`, with line and column.
std::optional<Expectations> readExpectations(const std::string& file, std::string_view text, config::ErrorList& errors);

// One line for each thing that is otherwise; empty: it is as expected.
std::vector<std::string> differences(const Expectation& expected, const explain::Explanation& came);

// By what the request came where it came: virtual host, route with its place, routes in front of it that did not take
// it.
std::string reasonOf(const explain::Explanation& came);

struct TestResult {
  const Expectation* test;
  std::vector<std::string> differences;  // empty: passed
  std::string why;
};

// For CI pipelines: one suite, a case a test.
std::string junitOf(std::string_view suite, const std::vector<TestResult>& results);

}  // namespace sluice::ctl
