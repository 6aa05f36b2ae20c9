// A site whose users log in: a browser that keeps cookies, and a provider that the test answers for.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/oauth2/v3/oauth.pb.h"
#include "source/base/percent.h"
#include "source/config/secrets.h"
#include "source/extensions/filters/http/oauth2/factory.h"
#include "source/extensions/filters/http/oauth2/filter.h"
#include "source/http/query.h"
#include "source/jwt/test_key.h"
#include "source/stream/formatter.h"
#include "source/worker/main_services.h"
#include "source/worker/thread_pool.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::oauth2::testing {

using filter::testing::Fields;
using filter::testing::Harness;

constexpr int64_t kNow = 1'000'000;  // seconds since 1970, at the beginning

inline const std::string kHmacSecret = "a secret of this site";
inline const std::string kTokenUri = "https://idp.example/token";

// Made for these tests; nothing else knows it.
constexpr const char* kPrivateKey =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgE71nuG8dr5UfSQWy\n"
    "+bS2WwVJE33eST7nhxXj1b+YZa6hRANCAATPejO5q0WO0WPngqR3OIuhycaxnTiQ\n"
    "ZViV3eBahW/2zUOVJxt5gYyj6kMtDABIVApF84kWT1r6FHkzb0muvv7V\n"
    "-----END PRIVATE KEY-----\n";
// Of the config, for it.
inline const std::string kSigned =
    ", auth_type: PRIVATE_KEY_JWT, private_key_jwt_config: {signing_algorithm: ES256, assertion_lifetime: 30s}";
constexpr size_t kMaxSignatures = 2;  // that wait

// `more`: of the config, each with a comma in front. `scopes`: a list.
inline std::string config(const std::string& more = "", const std::string& scopes = "[openid]",
                          const std::string& credentials = "") {
  return absl::StrCat("{token_endpoint: {cluster: idp, uri: '", kTokenUri,
                      "', timeout: 3s}, authorization_endpoint: 'https://idp.example/auth?a=b', ",
                      "redirect_uri: 'https://%REQ(:authority)%/callback', "
                      "redirect_path_matcher: {path: {exact: /callback}}, signout_path: {path: {exact: /signout}}, ",
                      "credentials: {client_id: 'shop 1', token_secret: {name: token}, hmac_secret: {name: hmac}",
                      credentials, "}, auth_scopes: ", scopes, more, "}");
}
inline std::string filterOf(const std::string& config) {
  return "{config: " + config + "}";
}

// Of "u", unless `claims` (members of an object, with a comma in front) say more.
inline std::string idToken(const std::string& nonce, const std::string& claims = "", int64_t expires = kNow + 300) {
  return jwt::testing::token("HS256", absl::StrCat(R"({"iss":"https://idp.example","sub":"u","aud":"shop 1","exp":)",
                                                   expires, R"(,"nonce":")", nonce, "\"", claims, "}"));
}
inline std::string tokensOf(const std::string& access, const std::string& id, const std::string& refresh = "",
                            const std::string& more = R"(,"expires_in":60)") {
  return absl::StrCat(R"({"access_token":")", access, R"(","token_type":"Bearer")",
                      id.empty() ? "" : absl::StrCat(R"(,"id_token":")", id, "\""),
                      refresh.empty() ? "" : absl::StrCat(R"(,"refresh_token":")", refresh, "\""), more, "}");
}

class FixedSecrets final : public config::Secrets {
 public:
  config::SecretSlotPtr named(const SdsSecretConfig& config, config::SecretKind, const config::Context&) override {
    const auto known = texts.find(config.name());
    if (known == texts.end()) return config::emptySlot(config.name());
    config::SecretVersion version{.files = std::make_shared<config::FileContents>()};
    version.secret.mutable_generic_secret()->mutable_secret()->set_inline_string(known->second);
    return config::fixedSlot(std::move(version));
  }
  config::SecretSlotPtr watched(Secret, const config::Context&) override { return nullptr; }
  void add(std::shared_ptr<config::SecretUser> user, std::vector<config::SecretSlotPtr>) override {
    users.push_back(std::move(user));
  }
  std::function<void()> userEnded() override { return {}; }

  std::map<std::string, std::string> texts{{"token", "s+cret"}, {"hmac", kHmacSecret}};
  std::vector<std::shared_ptr<config::SecretUser>> users;
};

struct Answer {
  uint16_t status = 0;
  std::string body, details, location;
  Fields headers;
  bool went_on = false;
  Fields upstream;       // of the request, as it went on
  std::string identity;  // as JSON; empty: nobody
};

inline std::string valuesOf(const Fields& fields, std::string_view name) {
  std::string out;
  for (const auto& [known, value] : fields) {
    if (known == name) absl::StrAppend(&out, out.empty() ? "" : "|", value);
  }
  return out;
}
inline std::string parameterOf(const std::string& url, std::string_view name) {
  return base::formDecoded(http::queryParameterOf(url, name).value_or(""));
}

// The cookies of a browser, of one host.
struct Browser {
  void take(const Fields& answer) {
    for (const auto& [name, value] : answer) {
      if (name != "set-cookie") continue;
      fields.push_back(value);
      const size_t equals = value.find('='), end = value.find(';');
      const std::string cookie = value.substr(0, equals);
      std::erase_if(cookies, [&](const auto& known) { return known.first == cookie; });
      if (value.find("Max-Age=0") != std::string::npos) continue;
      CHECK(end < 4096);
      cookies.emplace_back(cookie, value.substr(equals + 1, end - equals - 1));
    }
  }
  std::string header() const {
    std::string out;
    for (const auto& [name, value] : cookies) absl::StrAppend(&out, out.empty() ? "" : "; ", name, "=", value);
    return out;
  }
  std::string* find(std::string_view name) {
    for (auto& [known, value] : cookies) {
      if (known == name) return &value;
    }
    return nullptr;
  }
  size_t count(std::string_view prefix) const {
    return static_cast<size_t>(std::count_if(cookies.begin(), cookies.end(),
                                             [&](const auto& cookie) { return cookie.first.starts_with(prefix); }));
  }

  std::vector<std::pair<std::string, std::string>> cookies;
  std::vector<std::string> fields;  // all that were ever set
};

namespace v3 = envoy::extensions::filters::http::oauth2::v3;

struct World : filter::testing::FilterWorld<v3::OAuth2, v3::OAuth2PerRoute> {
  World() : FilterWorld(registerFactory, "http.p.") {
    services.main = &main;
    services.local_slots = slots;
    services.secrets = &secrets;
  }
  explicit World(const std::string& config) : World() { use(config); }
  ~World() {
    filter = nullptr;
    route = nullptr;
    settle();
  }
  void use(const std::string& config) {
    filter = compile(filterOf(config));
    INFO(problems());
    REQUIRE(filter != nullptr);
  }

  // Not answered so far.
  void start(Harness& h, const std::string& path, const Fields& fields = {}, std::string_view method = "GET") {
    h.stream.shared_worker = &worker;
    h.stream.info().start_time = std::chrono::system_clock::time_point(std::chrono::seconds(now));
    h.stream.request().path = h.stream.arena().copy(path);
    h.stream.request().scheme = scheme;
    h.stream.request().authority = host;
    Fields all = fields;
    if (!browser.cookies.empty()) all.emplace_back("cookie", browser.header());
    h.request(method, all, true);
  }
  Answer end(Harness& h) {
    const bool went_on = h.client.heads == 0 && h.terminal.heads > 0;
    if (went_on) h.respond(200, {{"cache-control", "max-age=60"}}, true);
    browser.take(h.client.headers);
    Answer out{.status = h.client.status,
               .body = h.client.body,
               .details = std::string(h.stream.info().response_code_details),
               .location = valuesOf(h.client.headers, "location"),
               .headers = h.client.headers,
               .went_on = went_on,
               .upstream = h.terminal.headers};
    if (const auto* identity = h.stream.info().metadata().find(stream::kIdentityMetadata)) {
      stream::appendJson(*identity, out.identity);
    }
    for (const char* name : {"oauth_success", "oauth_failure", "oauth_passthrough", "oauth_unauthorized_rq",
                             "oauth_refreshtoken_success", "oauth_refreshtoken_failure"}) {
      counts[name] += counted(h, name);
    }
    return out;
  }
  // The provider answers all that is asked of it.
  Answer ask(const std::string& path, const Fields& fields = {}, std::string_view method = "GET") {
    Harness h({filter}, {route});
    start(h, path, fields, method);
    for (int i = 0; i < 8; ++i) {
      answerAll(h.calls);
      settle();
      answerAll(server);
      settle();
    }
    return end(h);
  }
  void answerAll(filter::testing::FakeCalls& calls) {
    for (size_t i = 0; i < calls.waiting();) {
      if (calls.isTimer(i)) {
        ++i;
        continue;
      }
      requests.push_back(calls.request(i));
      calls.answer(provider(requests.back()), i);
      i = 0;
    }
  }
  // A login from a page on; the answer of the callback.
  Answer logIn(const std::string& path = "/page?a=1") {
    const Answer begin = ask(path);
    REQUIRE(begin.status == 302);
    authorized = begin.location;
    return ask(callback());
  }
  std::string callback(const std::string& more = "") const {
    return "/callback?code=c&state=" + base::percentEncoded(parameterOf(authorized, "state")) + more;
  }

  // What was posted from thread to thread.
  void settle() {
    for (int i = 0; i < 4; ++i) {
      while (pool->waiting() > 0) pool->runOne();
      worker.loop.turn();
      worker.runMain();
      loop.turn();
    }
  }
  void pass(std::chrono::seconds by) {
    now += by.count();
    loop.pass(by);
    worker.loop.pass(by);
    settle();
  }

  // Without threads: the test does its work.
  const std::shared_ptr<worker::ThreadPool> pool = services.objects.get<worker::ThreadPool>("oauth2 assertions", [] {
    return std::make_shared<worker::ThreadPool>(worker::ThreadPool::Size{0, kMaxSignatures, kMaxSignatures});
  });
  FixedSecrets secrets;
  event::PolledLoop loop;  // main's
  filter::testing::FakeCalls server;
  worker::LocalSlots slots;
  worker::testing::TestWorker worker{&server, slots};
  worker::MainServices main{loop, stats.makeCells(), slots, [this](std::function<void(worker::WorkerServices&)> work) {
                              worker.loop.post([this, work = std::move(work)] { work(worker.services); });
                            }};
  std::shared_ptr<const filter::HttpFilterFactory> filter;
  std::shared_ptr<const route::PerFilterConfig> route;

  int64_t now = kNow;
  std::string host = "shop.example", scheme = "https";
  Browser browser;
  std::string authorized;                         // where the last login led
  std::vector<filter::HttpCallRequest> requests;  // that the provider got
  std::function<filter::HttpCallResponse(const filter::HttpCallRequest&)> provider =
      [this](const filter::HttpCallRequest&) {
        return filter::HttpCallResponse{
            .status = 200, .body = tokensOf("access", idToken(parameterOf(authorized, "nonce")), "refresh")};
      };
  std::map<std::string, int> counts;
};

}  // namespace sluice::extensions::http_filters::oauth2::testing
