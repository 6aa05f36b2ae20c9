// Requests with tokens through a filter that is configured by text, with a main and a worker.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/jwt_authn/v3/config.pb.h"
#include "source/extensions/filters/http/jwt_authn/factory.h"
#include "source/extensions/filters/http/jwt_authn/filter.h"
#include "source/jwt/test_key.h"
#include "source/stream/formatter.h"
#include "source/worker/main_services.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::jwt_authn::testing {

using filter::testing::Fields;
using filter::testing::Harness;

constexpr int64_t kNow = 1'000'000;  // seconds since 1970, of all requests

// Of the shared key "a" that signs all tokens that are good.
inline std::string goodKeys(const std::string& kid = "a") {
  return jwt::testing::keySet(
      {jwt::testing::jwk(jwt::testing::keyFor("HS256"), absl::StrCat(R"("alg":"HS256","kid":")", kid, "\""))});
}
// `claims`: members of an object.
inline std::string token(const std::string& claims = R"("sub":"u")", const std::string& kid = "a",
                         const std::string& issuer = "me") {
  return jwt::testing::token("HS256", absl::StrCat(R"({"iss":")", issuer, R"(",)", claims, "}"),
                             absl::StrCat(R"("kid":")", kid, "\""));
}
// Of a key that nobody knows.
inline std::string forged() {
  static const auto kKey = jwt::testing::makeSharedKey(std::string(32, 'x'));
  return jwt::testing::tokenOf(*kKey, "HS256", R"({"alg":"HS256","kid":"a"})", R"({"iss":"me","sub":"u"})");
}
inline std::pair<std::string, std::string> bearer(const std::string& token) {
  return {"authorization", "Bearer " + token};
}

// `more`: of the provider, each with a comma in front.
inline std::string provider(const std::string& more = "", const std::string& name = "p",
                            const std::string& issuer = "me") {
  return absl::StrCat(name, ": {issuer: ", issuer, ", local_jwks: {inline_string: '", goodKeys(), "'}", more, "}");
}
inline std::string providers(const std::string& more = "") {
  return absl::StrCat("providers: {", provider(more), "}\n");
}
inline std::string rule(const std::string& requires_what, const std::string& match = "prefix: /") {
  return absl::StrCat("rules: [{match: {", match, "}, requires: {", requires_what, "}}]\n");
}
inline const std::string kNeedsP = rule("provider_name: p");

struct Answer {
  uint16_t status = 0;
  std::string body, details;
  Fields headers;   // of the answer
  Fields upstream;  // of the request, as it went on
  std::string path;
  std::string metadata;  // all, as JSON
};

inline std::string valuesOf(const Fields& fields, std::string_view name) {
  std::string out;
  for (const auto& [known, value] : fields) {
    if (known == name) absl::StrAppend(&out, out.empty() ? "" : "|", value);
  }
  return out;
}

namespace v3 = envoy::extensions::filters::http::jwt_authn::v3;

struct World : filter::testing::FilterWorld<v3::JwtAuthentication, v3::PerRouteConfig> {
  World() : FilterWorld(registerFactory, "http.p.jwt_authn.") {
    services.main = &main;
    services.local_slots = slots;
  }
  explicit World(const std::string& yaml) : World() {
    filter = compile(yaml);
    INFO(problems());
    REQUIRE(filter != nullptr);
  }
  ~World() {
    filter = nullptr;
    settle();
  }

  // Not answered so far; `h` is told to be in the world.
  void start(Harness& h, const Fields& fields, std::string_view path = "/", std::string_view method = "GET") {
    h.stream.shared_worker = &worker;
    h.stream.info().start_time = std::chrono::system_clock::time_point(std::chrono::seconds(kNow));
    h.stream.request().path = path;
    h.stream.request().scheme = "https";
    h.stream.request().authority = "shop.example";
    h.request(method, fields, true);
  }
  Answer end(Harness& h) {
    if (h.client.heads == 0 && h.terminal.heads > 0) h.respond(200, {}, true);
    Answer out{.status = h.client.status,
               .body = h.client.body,
               .details = std::string(h.stream.info().response_code_details),
               .headers = h.client.headers,
               .upstream = h.terminal.headers,
               .path = std::string(h.stream.request().path)};
    stream::appendJson({h.stream.info().metadata().fields()}, out.metadata);
    for (const char* name : {"allowed", "denied", "cors_preflight_bypassed"}) counts[name] += counted(h, name);
    return out;
  }
  Answer ask(const Fields& fields, std::string_view path = "/", std::string_view method = "GET") {
    Harness h({filter}, {route});
    start(h, fields, path, method);
    return end(h);
  }
  Answer askWith(const std::string& token) { return ask({bearer(token)}); }

  // What was posted from thread to thread.
  void settle() {
    for (int i = 0; i < 4; ++i) {
      worker.loop.turn();
      worker.runMain();
      loop.turn();
    }
  }
  void pass(event::Duration by) {
    loop.pass(by);
    worker.loop.pass(by);
    settle();
  }
  // Of the worker and of main.
  int64_t countedHere(const std::string& name) {
    const auto id = holding.stats().counter(prefix + name).id;
    return static_cast<int64_t>(worker.cells.read(id) + main.cells.read(id));
  }

  event::PolledLoop loop;  // main's
  filter::testing::FakeCalls server;
  worker::LocalSlots slots;
  worker::testing::TestWorker worker{&server, slots};
  worker::MainServices main{loop, stats.makeCells(), slots, [this](std::function<void(worker::WorkerServices&)> work) {
                              worker.loop.post([this, work = std::move(work)] { work(worker.services); });
                            }};
  std::shared_ptr<const filter::HttpFilterFactory> filter;
  std::shared_ptr<const route::PerFilterConfig> route;
  std::map<std::string, int> counts;
};

}  // namespace sluice::extensions::http_filters::jwt_authn::testing
