// Retry and hedge policies of routes, as configured.
#include "source/config/test_route_compiler.h"

namespace sluice::config {
namespace {

struct RetryCompiler : Compiler {
  struct Any : route::RetryHostPredicate {
    explicit Any(std::string type) : type(std::move(type)) {}
    bool refuses(const route::RetryHost&) const override { return true; }
    std::string type;
  };
  struct AnyPriority : route::RetryPriority {
    base::PrioritySet passedOver(std::span<const uint8_t>) const override { return {}; }
  };
  RetryCompiler() {
    deps.retry_extensions.host_predicate = [](const google::protobuf::Any& any, const Context&) {
      return std::make_shared<const Any>(any.type_url());
    };
    deps.retry_extensions.priority = [](const google::protobuf::Any&, const Context&) {
      return std::make_shared<const AnyPriority>();
    };
  }
  // Of a route to "/" in the inside of a virtual host, which has `of_host`.
  const route::Match& match(const std::string& of_route, const std::string& of_host = "") {
    out = compile("virtual_hosts: [{name: v, domains: ['*'], " + of_host + " routes: [{match: {prefix: /}, " +
                  of_route + "}]}]");
    INFO(of_route << of_host);
    REQUIRE(out.errors == "");
    matched = out.table->match(request.headers, 0);
    return matched;
  }
  const route::RetryPolicy* policy(const std::string& inside, const std::string& action = "") {
    return match("route: {cluster: web, " + action + " retry_policy: {" + inside + "}}").route->forward->retry_policy;
  }

  Request request{"/", "x"};
  Compiled out;
  route::Match matched;
};

TEST_CASE("a retry policy is compiled with Envoy's defaults") {
  RetryCompiler compiler;
  using std::chrono::milliseconds;
  CHECK(compiler.match("route: {cluster: web}").route->forward->retry_policy == nullptr);

  const route::RetryPolicy* plain = compiler.policy("retry_on: '5xx, unavailable'");
  CHECK(plain->on == (route::retry_on::k5xx | route::retry_on::kUnavailable));
  CHECK(plain->num_retries == 1);
  CHECK(plain->base_interval == milliseconds(25));
  CHECK(plain->max_interval == milliseconds(250));
  CHECK(plain->host_repicks == 1);
  CHECK(plain->priority == nullptr);
  CHECK(plain->per_try_timeout == milliseconds(0));
  CHECK(compiler.out.warnings == "");
}

TEST_CASE("everything that a retry policy can say is compiled") {
  RetryCompiler compiler;
  using std::chrono::milliseconds;
  const route::RetryPolicy* policy = compiler.policy(
      "retry_on: 'retriable-status-codes,retriable-headers', num_retries: 0, per_try_timeout: 2s, "
      "per_try_idle_timeout: 1s, host_selection_retry_max_attempts: 5, retriable_status_codes: [418, 429], "
      "retriable_headers: [{name: X-Again, present_match: true}], "
      "retriable_request_headers: [{name: ':method', string_match: {exact: GET}}], "
      "retry_back_off: {base_interval: 0.0001s, max_interval: 3s}, "
      "rate_limited_retry_back_off: {max_interval: 9s, reset_headers: [{name: Retry-After}, "
      "{name: X-RateLimit-Reset, format: UNIX_TIMESTAMP}]}, "
      "retry_host_predicate: [{name: p, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer}}], "
      "retry_priority: {name: p, typed_config: {'@type': "
      "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer}}");

  CHECK(policy->num_retries == 0);
  CHECK(policy->per_try_timeout == milliseconds(2000));
  CHECK(policy->per_try_idle_timeout == milliseconds(1000));
  CHECK(policy->host_repicks == 5);
  CHECK(policy->status_codes == std::vector<uint32_t>{418, 429});
  CHECK(policy->headers.at(0).name == "x-again");
  CHECK(policy->request_headers.at(0).matches(compiler.request.headers));
  CHECK(policy->base_interval == milliseconds(1));
  CHECK(policy->max_interval == milliseconds(3000));
  REQUIRE(policy->reset_headers.size() == 2);
  CHECK(policy->reset_headers[0].name == "retry-after");
  CHECK_FALSE(policy->reset_headers[0].timestamp);
  CHECK(policy->reset_headers[1].timestamp);
  CHECK(policy->max_reset_interval == milliseconds(9000));
  CHECK(policy->host_predicates.size() == 1);
  CHECK(policy->priority != nullptr);
  CHECK(compiler.out.warnings == "");
}

TEST_CASE("a route's retry policy replaces that of its host, and so does its buffer limit") {
  RetryCompiler compiler;
  const std::string of_host =
      "retry_policy: {retry_on: reset}, per_request_buffer_limit_bytes: 10, include_request_attempt_count: true, "
      "include_attempt_count_in_response: true, include_is_timeout_retry_header: true,";
  const route::Match& inherits = compiler.match("route: {cluster: web}", of_host);
  CHECK(inherits.route->forward->retry_policy->on == route::retry_on::kReset);
  CHECK(inherits.route->forward->request_buffer_limit == 10u);
  CHECK(inherits.virtual_host->attempt_headers.count_in_request);
  CHECK(inherits.virtual_host->attempt_headers.count_in_response);
  CHECK(inherits.virtual_host->attempt_headers.is_timeout_retry);

  const route::Match& own =
      compiler.match("per_request_buffer_limit_bytes: 0, route: {cluster: web, retry_policy: {}}", of_host);
  CHECK(own.route->forward->retry_policy->on == 0);
  CHECK(own.route->forward->request_buffer_limit == 0u);

  const route::Match& none = compiler.match("route: {cluster: web}");
  CHECK_FALSE(none.route->forward->request_buffer_limit);
  CHECK_FALSE(none.virtual_host->attempt_headers.count_in_request);
}

TEST_CASE("what of a retry policy does nothing is warned of, where it stands") {
  RetryCompiler compiler;
  const auto warns = [&](const std::string& inside, const std::string& expected, const std::string& action = "") {
    compiler.policy(inside, action);
    INFO(inside << " -> " << compiler.out.warnings);
    CHECK(compiler.out.warnings.find(kRoute + ".route.retry_policy" + expected) != std::string::npos);
  };
  warns("retry_on: '5xx,5XX'", ".retry_on: \"5XX\" is no condition");
  warns("retry_on: 5xx, retriable_status_codes: [418]", ".retriable_status_codes: does nothing unless");
  warns("retry_on: 5xx, retriable_headers: [{name: a}]", ".retriable_headers: does nothing unless");
  warns("retry_on: 5xx, per_try_timeout: 15s", ": per_try_timeout (15000 ms) is not below");
  warns("retry_on: 5xx, per_try_timeout: 2s", ": per_try_timeout (2000 ms) is not below", "timeout: 2s,");

  compiler.policy("retry_on: 5xx, per_try_timeout: 20s", "timeout: 0s,");
  CHECK(compiler.out.warnings == "");
  compiler.match("route: {cluster: web, timeout: 1s}", "retry_policy: {retry_on: 5xx, per_try_timeout: 2s},");
  CHECK(compiler.out.warnings.find(kRoute + ".route.timeout: per_try_timeout (2000 ms)") != std::string::npos);
}

TEST_CASE("a route's hedge policy replaces that of its host") {
  RetryCompiler compiler;
  const std::string retries = "retry_policy: {retry_on: 5xx, per_try_timeout: 1s},";
  const std::string hedges = "hedge_policy: {hedge_on_per_try_timeout: true}";
  const auto hedged = [&](const std::string& action, const std::string& of_host) {
    const bool out =
        compiler.match("route: {cluster: web" + action + "}", of_host).route->forward->hedge_on_per_try_timeout;
    CHECK(compiler.out.warnings == "");
    return out;
  };
  CHECK_FALSE(hedged("", retries));
  CHECK(hedged("", retries + hedges + ","));
  CHECK(hedged(", " + hedges, retries));
  CHECK_FALSE(hedged(", hedge_policy: {}", retries + hedges + ","));
  CHECK(hedged(", retry_policy: {retry_on: 5xx, per_try_timeout: 1s}", hedges + ","));
  CHECK_FALSE(hedged(", hedge_policy: {initial_requests: 1, additional_request_chance: {}}", retries));
}

TEST_CASE("hedging that does nothing, or has no end, is warned of, where it stands") {
  RetryCompiler compiler;
  const std::string hedges = "hedge_policy: {hedge_on_per_try_timeout: true}";
  const std::string at_route = kRoute + ".route.hedge_policy.hedge_on_per_try_timeout: ";
  const auto warns = [&](const std::string& action, const std::string& of_host, const std::string& expected) {
    compiler.match("route: {cluster: web" + action + "}", of_host);
    INFO(compiler.out.warnings);
    CHECK(compiler.out.warnings.find(expected) != std::string::npos);
  };
  warns(", " + hedges, "", at_route + "does nothing without a retry_policy");
  warns(", retry_policy: {per_try_timeout: 1s}, " + hedges, "", at_route + "does nothing without a retry_policy");
  warns(", retry_policy: {retry_on: 5xx, num_retries: 0}, " + hedges, "",
        at_route + "does nothing without a retry_policy");
  warns(", retry_policy: {retry_on: 5xx}, " + hedges, "", at_route + "does nothing without per_try_timeout");
  warns(", timeout: 0s, " + hedges, "retry_policy: {retry_on: 5xx, per_try_timeout: 1s},",
        at_route + "a try that takes");
  warns("", hedges + ",",
        "virtual_hosts[0].hedge_policy.hedge_on_per_try_timeout: does nothing without a retry_policy");
}

TEST_CASE("what no try is made by is refused") {
  Compiler compiler;
  const auto refused = [&](const std::string& inside) {
    return compiler.routeErrors(forwarding("cluster: a, " + inside));
  };
  CHECK(refused("hedge_policy: {initial_requests: 2}").find(kRoute + ".route.hedge_policy.initial_requests: is 2") !=
        std::string::npos);
  CHECK(refused("hedge_policy: {additional_request_chance: {numerator: 5}}")
            .find(kRoute + ".route.hedge_policy.additional_request_chance: is not 0") != std::string::npos);
  CHECK(refused("retry_policy: {retry_options_predicates: [{name: a, typed_config: {'@type': "
                "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer}}]}")
            .find(kRoute + ".route.retry_policy.retry_options_predicates[0]: no extension") != std::string::npos);
}

TEST_CASE("a timeout that the duration of the stream ends is warned of") {
  Compiler compiler;
  const auto warnings = [&](const std::string& timeout, const std::string& duration) {
    return compiler.route(forwarding("cluster: a, timeout: " + timeout + ", max_stream_duration: " + duration))
        .warnings;
  };
  CHECK(warnings("20s", "{max_stream_duration: 20s}")
            .find(kRoute + ".route.max_stream_duration.max_stream_duration: is 20000 ms") != std::string::npos);
  CHECK(warnings("19s", "{max_stream_duration: 20s}") == "");
  CHECK(warnings("20s", "{max_stream_duration: 0s}") == "");
  CHECK(warnings("20s", "{}") == "");
}

TEST_CASE("a back-off that shrinks and a limit that is negative are refused") {
  RetryCompiler compiler;
  const auto refused = [&](const std::string& inside) {
    return compiler.routeErrors(forwarding("cluster: a, retry_policy: {retry_on: 5xx, " + inside + "}"));
  };
  CHECK(refused("retry_back_off: {base_interval: 2s, max_interval: 1s}").find("max_interval: is below base_interval") !=
        std::string::npos);
  const auto breaks = [](const std::string& inside) {
    return brokenRules(forwarding("cluster: a, retry_policy: {retry_on: 5xx, " + inside + "}"));
  };
  CHECK(breaks("per_try_timeout: -1s").find("per_try_timeout: is negative") != std::string::npos);
  CHECK(breaks("per_try_idle_timeout: -1s").find("per_try_idle_timeout: is negative") != std::string::npos);
}

}  // namespace
}  // namespace sluice::config
