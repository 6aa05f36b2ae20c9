#include "source/extensions/filters/http/admission_control/filter.h"

#include <catch2/catch.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "envoy/extensions/filters/http/admission_control/v3/admission_control.pb.h"
#include "source/extensions/filters/http/admission_control/factory.h"
#include "source/worker/services.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::admission_control {
namespace {

using Proto = envoy::extensions::filters::http::admission_control::v3::AdmissionControl;
using filter::testing::Fields;
using filter::testing::Harness;
using std::chrono::seconds;

struct World : filter::testing::FilterWorld<Proto> {
  World() : FilterWorld(registerFactory, "http.p.admission_control.rq_") {}

  auto compile(const std::string& fields) { return FilterWorld::compile("{" + fields + "}"); }
};

const Window::TimePoint kStart{seconds(1000)};
const Fields kGrpc{{"content-type", "application/grpc"}};

TEST_CASE("requests count for the length of the window") {
  Window window(seconds(10));
  window.record(true, kStart);
  window.record(false, kStart + seconds(1));
  window.record(false, kStart + seconds(1));
  CHECK(window.counts(kStart + seconds(9)).requests == 3);
  CHECK(window.counts(kStart + seconds(9)).successes == 1);
  CHECK(window.counts(kStart + seconds(10)).requests == 2);
  CHECK(window.counts(kStart + seconds(10)).successes == 0);
  CHECK(window.counts(kStart + seconds(11)).requests == 0);
}

TEST_CASE("the chance of a refusal rises with what failed") {
  Rules rules;
  rules.threshold = 0.5;
  CHECK(rules.probability({0, 0}) == 0);
  CHECK(rules.probability({100, 50}) == 0);
  CHECK(rules.probability({100, 100}) == 0);
  CHECK(rules.probability({99, 24}) == Approx(0.51));
  CHECK(rules.probability({99, 0}) == Approx(0.8));  // the most
  rules.aggression = 2;
  CHECK(rules.probability({99, 37}) == Approx(0.5));
}

// The outcome of a request whose answer has that head and these trailers: "success", "failure", or "" for neither.
std::string outcome(const std::string& criteria, uint16_t status, const Fields& head, const Fields& trailers = {}) {
  World world;
  const auto factory = world.compile("success_criteria: {" + criteria + "}");
  INFO(world.problems());
  REQUIRE(factory);
  Harness h({factory});
  h.request("POST", {}, true);
  h.respond(status, head, trailers.empty());
  if (!trailers.empty()) h.responseTrailers(trailers);
  h.runner.reset();
  const uint64_t success = world.counted(h, "success"), failure = world.counted(h, "failure");
  CHECK(success + failure == 1);
  return success == 1 ? "success" : "failure";
}

TEST_CASE("answers are a success or a failure by their status") {
  CHECK(outcome("", 200, {}) == "success");
  CHECK(outcome("", 499, {}) == "success");
  CHECK(outcome("", 500, {}) == "failure");
  const std::string some = "http_criteria: {http_success_status: [{start: 200, end: 300}, {start: 404, end: 405}]}";
  CHECK(outcome(some, 299, {}) == "success");
  CHECK(outcome(some, 300, {}) == "failure");
  CHECK(outcome(some, 404, {}) == "success");
}

TEST_CASE("answers of gRPC go by their own status, wherever it is") {
  const auto with = [](Fields fields, const char* status) {
    fields.emplace_back("grpc-status", status);
    return fields;
  };
  CHECK(outcome("", 200, kGrpc, with({}, "0")) == "success");
  CHECK(outcome("", 200, kGrpc, with({}, "14")) == "failure");
  CHECK(outcome("", 200, with(kGrpc, "14")) == "failure");
  CHECK(outcome("", 200, with(kGrpc, "5")) == "success");
  CHECK(outcome("", 200, kGrpc) == "failure");
  CHECK(outcome("", 200, kGrpc, {{"x", "y"}}) == "failure");
  CHECK(outcome("grpc_criteria: {grpc_success_status: [14]}", 200, kGrpc, with({}, "14")) == "success");
  CHECK(outcome("grpc_criteria: {grpc_success_status: [14]}", 200, kGrpc, with({}, "0")) == "failure");
}

// A factory whose window, on the worker of `h`, has that many failures.
struct Failing {
  explicit Failing(Rules rules, int failures) {
    settings.rules = std::move(rules);
    settings.rules.http_success = {{0, 500}};
    settings.windows = std::make_shared<const worker::WorkerLocal<Window>>(
        slots, [](worker::WorkerServices&) { return std::make_unique<Window>(seconds(30)); });
    settings.rejected = {1};
    settings.success = {2};
    settings.failure = {3};
    h.emplace(std::vector<std::shared_ptr<const filter::HttpFilterFactory>>{std::make_shared<FilterFactory>(settings)});
    Window& window = settings.windows->get(h->stream.worker());
    for (int i = 0; i < failures; ++i) window.record(false, h->stream.time);
  }

  worker::LocalSlots slots;
  Settings settings;
  std::optional<Harness> h;
};

TEST_CASE("where all fails requests are refused by chance, and these do not count") {
  Failing failing(Rules{}, 99);
  failing.h->stream.next_random = 7'999;
  failing.h->request("GET", {}, true);
  CHECK(failing.h->client.status == 503);
  CHECK(failing.h->stream.info().response_code_details == "denied_by_admission_control");
  CHECK(failing.h->counted({1}) == 1);
  failing.h->runner.reset();
  CHECK(failing.h->counted({3}) == 0);

  Failing lucky(Rules{}, 99);
  lucky.h->stream.next_random = 8'000;
  lucky.h->request("GET", {}, true);
  CHECK(lucky.h->terminal.complete);
}

TEST_CASE("few requests, health checks and a filter that is off let all through") {
  Rules few;
  few.min_rate = 10;
  Rules off;
  off.enabled = false;
  const int which = GENERATE(0, 1, 2);
  Failing failing(which == 0 ? few : which == 1 ? off : Rules{}, 99);
  failing.h->stream.info().health_check = which == 2;
  failing.h->request("GET", {}, true);
  CHECK(failing.h->terminal.complete);
}

TEST_CASE("a request without an answer has failed") {
  Failing failing(Rules{}, 0);
  failing.h->request("GET", {}, true);
  failing.h->runner.reset();
  CHECK(failing.h->counted({3}) == 1);
}

TEST_CASE("wrong rules are refused") {
  const auto problems = [](const std::string& yaml) {
    World world;
    CHECK(world.compile(yaml) == nullptr);
    return world.problems();
  };
  CHECK(problems("enabled: {default_value: true}").find("evaluation_criteria") != std::string::npos);
  CHECK(problems("success_criteria: {http_criteria: {http_success_status: [{start: 99, end: 200}]}}")
            .find("http_success_status[0]: is no range of statuses") != std::string::npos);
  CHECK(problems("success_criteria: {http_criteria: {http_success_status: [{start: 404, end: 403}]}}")
            .find("http_success_status[0]: is no range of statuses") != std::string::npos);
  CHECK(problems("success_criteria: {grpc_criteria: {grpc_success_status: [17]}}")
            .find("grpc_success_status[0]: is no status of gRPC") != std::string::npos);
  CHECK(problems("success_criteria: {}, sampling_window: 0.9s").find("sampling_window") != std::string::npos);
  CHECK(problems("success_criteria: {}, sr_threshold: {default_value: {value: 0}}").find("sr_threshold") !=
        std::string::npos);
}

TEST_CASE("a range without a status is taken, as elsewhere, with a warning") {
  World world;
  const auto rules =
      world.compile("success_criteria: {http_criteria: {http_success_status: [{start: 404, end: 404}]}}");
  CHECK(rules != nullptr);
  CHECK(world.errors.warnings().size() == 1);
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  // Outcomes of one run must not refuse requests of the next.
  const std::string yaml = "success_criteria: {}, max_rejection_probability: {default_value: {value: 0}}";
  const auto factory = world.compile(yaml);
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };

  REQUIRE(runInterleavings(suite) == "");
  REQUIRE(runOverCodecs(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::admission_control
