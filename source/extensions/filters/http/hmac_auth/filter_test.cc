#include "source/extensions/filters/http/hmac_auth/filter.h"

#include <catch2/catch.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "sluice/extensions/filters/http/hmac_auth/v1/hmac_auth.pb.h"
#include "source/base/text.h"
#include "source/extensions/filters/http/hmac_auth/factory.h"
#include "source/extensions/filters/http/hmac_auth/hash.h"
#include "test/support/files/scratch_folder.h"
#include "test/support/filter/interleaving.h"
#include "test/support/filter/world.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

namespace v1 = sluice::extensions::filters::http::hmac_auth::v1;
using base::strCat;
using filter::testing::Fields;
using filter::testing::Harness;

const std::string kSecret = "0123456789abcdef";
const std::string kConsumers = R"(consumers:
- name: one
  hmac_keys: [{id: k1, secret: {inline_string: 0123456789abcdef}}, {id: k2, secret: {inline_string: 0123456789abcdef}, expires: "2030-01-01T00:00:00Z"}]
  groups: [staff]
  plan: {tier: gold}
- name: guest
)";
const std::string kBoth = ", message_signatures: {}, authorization: {}";

const std::string kBody = R"({"hello": "world"})";
const std::string kDigest = "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=";

std::string signatureOf(const std::string& text, const std::string& secret = kSecret) {
  return absl::Base64Escape(macOf(Hash::kSha256, secret, text));
}

struct World : filter::testing::FilterWorld<v1::HmacAuth, v1::HmacAuthPerRoute> {
  World() : FilterWorld(registerFactory, "http.p.hmac_auth.") {}

  auto compile(const std::string& consumers, const std::string& more = kBoth) {
    return FilterWorld::compile("{consumers: {filename: " + folder.write("c.yaml", consumers) + "}" + more + "}");
  }

  const test::ScratchFolder folder;
};

// What is signed of a request, and how.
struct Signing {
  std::string id = "k1";
  std::string secret = kSecret;
  std::string components = "\"@method\" \"@authority\" \"@path\" \"@query\"";
  std::string values = "\"@method\": GET\n\"@authority\": example.com\n\"@path\": /p\n\"@query\": ?q=1\n";
  int64_t created = 0;

  Fields fields() const {
    const std::string list = strCat("(", components, ");created=", created, ";keyid=\"", id, "\"");
    const std::string text = strCat(values, "\"@signature-params\": ", list);
    return {{"signature-input", "s=" + list}, {"signature", "s=:" + signatureOf(text, secret) + ":"}};
  }
  Signing withDigest(const std::string& digest = kDigest) const {
    Signing out = *this;
    out.components += std::string(components.empty() ? "" : " ") + "\"content-digest\"";
    out.values += "\"content-digest\": sha-256=:" + digest + ":\n";
    return out;
  }
};

Fields draft(const std::string& secret = kSecret, const std::string& id = "k1") {
  const std::string date = "Thu, 01 Jan 1970 00:00:00 GMT";
  const std::string text = "date: " + date + "\nGET /p?q=1 HTTP/1.1";
  return {{"date", date},
          {"authorization", "hmac username=\"" + id +
                                "\", algorithm=\"hmac-sha256\", headers=\"date request-line\", signature=\"" +
                                signatureOf(text, secret) + "\""}};
}

Fields with(Fields fields, const Fields& more) {
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

// One request through a filter, at the beginning of 1970 unless another year is set.
struct Asked {
  explicit Asked(const std::string& more = kBoth, const std::string& route_yaml = "") {
    const auto factory = world.compile(kConsumers, more);
    const auto route = route_yaml.empty() ? nullptr : world.compileRoute("{" + route_yaml + "}");
    INFO(world.problems());
    REQUIRE(world.errors.empty());
    h.emplace(std::vector{factory}, std::vector{route});
    h->stream.request().path = "/p?q=1";
    h->stream.request().authority = "example.com";
    h->stream.request().scheme = "http";
    setYear(1970);
  }
  void setYear(int year) {
    h->stream.info().start_time = std::chrono::sys_days(std::chrono::year(year) / 1 / 1);
    h->stream.info().start = h->stream.time;
  }
  std::string outcome() {
    if (h->terminal.heads == 1) return "";
    return std::to_string(h->client.status) + " " + std::string(h->stream.info().response_code_details);
  }
  // "" if it came through.
  std::string refusal(const Fields& fields) {
    h->request("GET", fields, true);
    return outcome();
  }
  std::string refusalWithBody(const Fields& fields, const std::string& body = kBody) {
    h->request("GET", fields, false);
    if (h->client.heads == 0) h->runner->requestData(body.substr(0, 3), false);
    CHECK(h->terminal.heads == 0);
    if (h->client.heads == 0) h->runner->requestData(body.substr(3), true);
    return outcome();
  }
  std::string text(const std::vector<std::string>& path) {
    const auto* value = h->stream.info().metadata().find(stream::kIdentityMetadata, path);
    return value == nullptr ? "" : std::get<std::string>(value->value);
  }
  int counted(const std::string& name) { return world.counted(*h, name); }

  World world;
  std::optional<Harness> h;
};

std::string refusal(const Fields& fields, const std::string& more = kBoth, const std::string& route = "") {
  return Asked(more, route).refusal(fields);
}

TEST_CASE("a request that a consumer has signed goes on, in either form, with all that is known of it") {
  for (const Fields& fields : {Signing().fields(), draft()}) {
    Asked asked;

    CHECK(asked.refusal(fields).empty());

    CHECK(asked.text({"method"}) == "hmac");
    CHECK(asked.text({"subject"}) == "k1");
    CHECK(asked.text({"consumer"}) == "one");
    CHECK(asked.text({"claims", "plan", "tier"}) == "gold");
    CHECK(asked.counted("allowed") == 1);
    CHECK(asked.h->terminal.headers.size() == 2);
  }
}

TEST_CASE("other requests are answered 401 and reach nobody") {
  Signing wrong, unknown;
  wrong.secret = "0123456789abcdeg";
  unknown.id = "k";
  CHECK(refusal({}) == "401 missing_signature");
  CHECK(refusal(wrong.fields()) == "401 wrong_signature");
  CHECK(refusal(unknown.fields()) == "401 unknown_signature_key");
  CHECK(refusal(draft("0123456789abcdeg")) == "401 wrong_signature");
  CHECK(refusal({{"signature-input", "x"}}) == "401 malformed_signature");
  CHECK(refusal({{"authorization", "hmac x"}}) == "401 malformed_signature");
  Asked asked;
  CHECK(asked.refusal(with(wrong.fields(), draft())) == "401 wrong_signature");
  CHECK(asked.counted("unauthorized") == 1);
  CHECK(asked.counted("allowed") == 0);
  CHECK(asked.text({"method"}).empty());
}

TEST_CASE("a refusal says which forms are taken, and nothing of why") {
  const auto refused = [](const Fields& fields, const std::string& more = "") {
    Asked asked(kBoth + more);
    CHECK_FALSE(asked.refusal(fields).empty());
    return std::pair(asked.h->client.body, asked.h->client.headers);
  };
  const auto challenges = [](const Fields& headers) {
    std::string out;
    for (const auto& [name, value] : headers) {
      if (name == "www-authenticate") out += value + "; ";
    }
    return out;
  };
  Signing wrong, unknown;
  wrong.secret = "0123456789abcdeg";
  unknown.id = "k";

  CHECK(refused(wrong.fields()) == refused(unknown.fields()));
  CHECK(refused(wrong.fields()).first == "Client authentication failed.");
  CHECK(refused(draft("0123456789abcdeg")) == refused(draft(kSecret, "k")));
  CHECK(refused(draft(kSecret, "k")).first == "HMAC signature does not match");
  CHECK(refused({}).first == "Unauthorized");
  CHECK(challenges(refused({}).second) == "Signature; hmac; ");
  CHECK(challenges(refused({}, ", realm: 'a b'").second) == "Signature realm=\"a b\"; hmac realm=\"a b\"; ");
}

TEST_CASE("a form that is not configured does not count") {
  CHECK(refusal(Signing().fields(), ", authorization: {}") == "401 missing_signature");
  CHECK(refusal(draft(), ", message_signatures: {}") == "401 missing_signature");
  CHECK(refusal(with(draft(), {{"signature-input", "x"}}), ", authorization: {}").empty());
}

TEST_CASE("a change of what is signed is a wrong signature") {
  Asked path, query, method, host;
  path.h->stream.request().path = "/P?q=1";
  query.h->stream.request().path = "/p?q=2";
  host.h->stream.request().authority = "example.org";

  CHECK(path.refusal(Signing().fields()) == "401 wrong_signature");
  CHECK(query.refusal(Signing().fields()) == "401 wrong_signature");
  CHECK(host.refusal(Signing().fields()) == "401 wrong_signature");
  method.h->request("PUT", Signing().fields(), true);
  CHECK(method.outcome() == "401 wrong_signature");
}

TEST_CASE("a key is refused from its last day on") {
  const auto in = [](int year) {
    Asked asked;
    asked.setYear(year);
    Signing signing;
    signing.id = "k2";
    signing.created =
        std::chrono::sys_seconds(std::chrono::sys_days(std::chrono::year(year) / 1 / 1)).time_since_epoch().count();
    return asked.refusal(signing.fields());
  };
  CHECK(in(2029).empty());
  CHECK(in(2030) == "401 expired_signature_key");
}

// The example of RFC 9421, section B.2.6, and the key of B.1.4.
TEST_CASE("a request may be signed by a key of which the consumer shows the public half only") {
  const std::string consumers = R"(consumers:
- name: one
  public_keys:
  - {id: test-key-ed25519, jwk: {inline_string: '{"kty": "OKP", "crv": "Ed25519", "x": "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}'}}
  hmac_keys: [{id: k1, secret: {inline_string: 0123456789abcdef}}]
)";
  const std::string forms = ", message_signatures: {required_components: ['@method', '@path']}, authorization: {}";
  const auto ask = [&](const std::string& method, const std::string& parameters) {
    World world;
    const auto factory = world.compile(consumers, forms);
    INFO(world.problems());
    REQUIRE(factory);
    Harness h({factory});
    h.stream.request().path = "/foo?param=Value&Pet=dog";
    h.stream.request().authority = "example.com";
    h.stream.info().start_time = std::chrono::sys_seconds(std::chrono::seconds(1618884473));
    h.stream.info().start = h.stream.time;
    h.request(
        method,
        {{"date", "Tue, 20 Apr 2021 02:07:55 GMT"},
         {"content-type", "application/json"},
         {"content-length", "18"},
         {"signature-input",
          "sig-b26=(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")" + parameters},
         {"signature",
          "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:"}},
        false);
    return h.terminal.heads == 1 ? "" : std::string(h.stream.info().response_code_details);
  };

  CHECK(ask("POST", ";created=1618884473;keyid=\"test-key-ed25519\"") == "");
  CHECK(ask("PUT", ";created=1618884473;keyid=\"test-key-ed25519\"") == "wrong_signature");
  CHECK(ask("POST", ";created=1618884474;keyid=\"test-key-ed25519\"") == "wrong_signature");
  const std::string named = ";created=1618884473;keyid=\"test-key-ed25519\";alg=";
  CHECK(ask("POST", named + "\"ed25519\"") == "wrong_signature");
  CHECK(ask("POST", named + "\"hmac-sha256\"") == "unsupported_signature_algorithm");
  CHECK(ask("POST", named + "\"rsa-pss-sha512\"") == "unsupported_signature_algorithm");
  CHECK(ask("POST", ";created=1618884473;keyid=\"k1\";alg=\"ed25519\"") == "unsupported_signature_algorithm");
}

TEST_CASE("a body is held back until its digest is checked") {
  const Fields good = with(Signing().withDigest().fields(), {{"content-digest", "sha-256=:" + kDigest + ":"}});
  Asked same, other, none, empty;

  CHECK(same.refusalWithBody(good).empty());
  CHECK(same.h->terminal.body == kBody);
  CHECK(same.counted("allowed") == 1);
  CHECK(other.refusalWithBody(good, "{\"hello\": \"wOrld\"}") == "401 wrong_body_digest");
  CHECK(other.h->terminal.heads == 0);
  CHECK(other.text({"method"}).empty());
  CHECK(none.refusalWithBody(Signing().fields()) == "401 unsigned_component");
  CHECK(empty.refusal(good) == "401 wrong_body_digest");
}

TEST_CASE("a body that is too large is answered 413, and one that is not signed goes by") {
  const Fields good = with(Signing().withDigest().fields(), {{"content-digest", "sha-256=:" + kDigest + ":"}});
  Asked large(", message_signatures: {}, max_body_bytes: 10");
  CHECK(large.refusalWithBody(good) == "413 request_payload_too_large");

  Asked streamed(", message_signatures: {required_components: ['@method', '@target-uri']}");
  Signing signing{.components = "\"@target-uri\" \"@method\"",
                  .values = "\"@target-uri\": http://example.com/p?q=1\n\"@method\": GET\n"};
  streamed.h->request("GET", signing.fields(), false);
  CHECK(streamed.h->terminal.heads == 1);
}

TEST_CASE("requests without a signature may be of somebody, those with a wrong one not") {
  const std::string guest = kBoth + ", anonymous: guest, forwarding: {header: x-consumer}";
  Asked asked(guest);

  CHECK(asked.refusal({{"x-consumer", "one"}}).empty());

  CHECK(asked.text({"consumer"}) == "guest");
  CHECK(asked.h->terminal.headers == Fields{{"x-consumer", "guest"}});
  CHECK(asked.counted("anonymous") == 1);
  CHECK(refusal(draft("x"), guest) == "401 wrong_signature");
  CHECK(refusal({{"signature", "s=:AAAA:"}}, guest) == "401 malformed_signature");
}

TEST_CASE("a route may be for some groups") {
  CHECK(refusal(Signing().fields(), kBoth, "allowed_groups: [staff]").empty());
  CHECK(refusal(Signing().fields(), kBoth, "denied_groups: [staff]") == "403 consumer_not_allowed");
  Asked other(kBoth, "allowed_groups: [other]");
  CHECK(other.refusal(draft()) == "403 consumer_not_allowed");
  CHECK(other.counted("forbidden") == 1);
}

TEST_CASE("a host is told the consumer, and no signature") {
  const std::string hide = kBoth + ", forwarding: {header: x-consumer, hide_credentials: true}";
  Asked message(hide), authorization(hide);

  CHECK(message.refusal(with(Signing().fields(), {{"x-consumer", "root"}, {"authorization", "Basic YTpi"}})).empty());
  CHECK(authorization.refusal(draft()).empty());

  CHECK(message.h->terminal.headers == Fields{{"authorization", "Basic YTpi"}, {"x-consumer", "one"}});
  CHECK(authorization.h->terminal.headers == Fields{{"date", "Thu, 01 Jan 1970 00:00:00 GMT"}, {"x-consumer", "one"}});
}

TEST_CASE("a wrong file is refused with the place in it, and quotes no secret") {
  const auto problems = [](const std::string& keys) {
    World world;
    CHECK_FALSE(world.compile("consumers:\n- name: a\n  hmac_keys: [" + keys + "]"));
    return world.problems();
  };
  const std::string good = "{id: k, secret: {inline_string: 0123456789abcdef}}";
  const std::string brief = problems("{id: k, secret: {inline_string: sesame-open-it}}");
  CHECK_THAT(brief, Catch::Contains("hmac_keys[0].secret: has fewer than 16 bytes") && Catch::Contains("c.yaml:3") &&
                        !Catch::Contains("sesame"));
  CHECK_THAT(problems(good + ", " + good), Catch::Contains("hmac_keys[1].id: is that of another key"));
  CHECK_THAT(problems("]\n  public_keys: [{id: k, jwk: {inline_string: sesame}}"),
             Catch::Contains("public_keys[0].jwk: is no JSON Web Key") && !Catch::Contains("sesame"));
  CHECK_THAT(problems("{id: k}"), Catch::Contains("secret"));
  CHECK_THAT(problems("{secret: {inline_string: 0123456789abcdef}}"), Catch::Contains("hmac_keys[0].id"));
  CHECK_THAT(problems("{id: k, secret: {filename: /nowhere}}"), Catch::Contains("/nowhere"));
  CHECK_THAT(problems("{id: k, secret: {environment_variable: SLUICE_NO_SUCH}}"), Catch::Contains("SLUICE_NO_SUCH"));
  CHECK_THAT(problems("{id: k, secret: sesame-open-it-now}"), !Catch::Contains("sesame"));
  CHECK_THAT(problems("{id: k, secret: {inline_string: [sesame-open-it-now]}}"), !Catch::Contains("sesame"));
}

TEST_CASE("a wrong configuration is refused") {
  const auto problems = [](const std::string& more) {
    World world;
    CHECK_FALSE(world.compile(kConsumers, more));
    return world.problems();
  };
  CHECK_THAT(problems(""), Catch::Contains("takes no form of signatures"));
  CHECK_THAT(
      problems(", message_signatures: {required_components: ['@status']}"),
      Catch::Contains("required_components[0]: \"@status\" is no name of a field; write one, or one of @method"));
  CHECK_THAT(problems(", message_signatures: {max_age: 0s}"), Catch::Contains("max_age"));
  CHECK_THAT(problems(", authorization: {algorithms: [hmac-md5]}"), Catch::Contains("algorithms[0]"));
  CHECK_THAT(problems(", authorization: {enforce_headers: ['a b']}"), Catch::Contains("enforce_headers[0]"));
  CHECK_THAT(problems(", authorization: {clock_skew: 0s}"), Catch::Contains("clock_skew"));
  CHECK_THAT(problems(", authorization: {}, realm: 'a\"b'"), Catch::Contains("realm"));
  CHECK_THAT(problems(", authorization: {}, max_body_bytes: 0"), Catch::Contains("max_body_bytes"));
  CHECK_THAT(problems(", authorization: {}, forwarding: {header: host}"), Catch::Contains("forwarding.header"));
  CHECK_THAT(problems(", authorization: {}, anonymous: nobody"), Catch::Contains("nobody"));
}

TEST_CASE("it passes the interleaving suite") {
  World world;
  const auto factory =
      world.compile(kConsumers,
                    ", message_signatures: {required_components: [content-digest], max_age: 315360000s}"
                    ", forwarding: {header: x-consumer, hide_credentials: true}");
  REQUIRE(factory);
  filter::testing::Suite suite;
  suite.chain = [&] { return std::vector{factory}; };
  suite.request.body = kBody;
  Signing signing;
  signing.components.clear();
  signing.values.clear();
  SECTION("with a body that is signed") {
    signing = signing.withDigest();
  }
  SECTION("without one") {
    suite.request.body.clear();
    suite.request.has_trailers = false;
  }
  suite.request.headers = signing.fields();
  if (!suite.request.body.empty()) suite.request.headers.emplace_back("content-digest", "sha-256=:" + kDigest + ":");
  suite.max_runs = 10000;

  REQUIRE(runInterleavings(suite) == "");
}

}  // namespace
}  // namespace sluice::extensions::http_filters::hmac_auth
