#include "source/extensions/filters/http/oauth2_server/authorization.h"

#include <catch2/catch.hpp>
#include <map>

#include "source/base/base64_url.h"
#include "source/base/percent.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

using std::chrono::seconds;
using Parameters = std::map<std::string, std::string>;

const std::string kReturn = "https://app.example/cb", kLoopback = "http://127.0.0.1/cb";

Client clientOf(std::string id, std::string redirect_uri, bool is_public = false) {
  Client out;
  out.id = std::move(id);
  out.redirect_uris = {std::move(redirect_uri)};
  if (!is_public) out.secrets = {{filter::digestOf("secret"), std::nullopt}};
  out.uses_codes = true;
  out.most = {out.id, {}, "read write", {"https://api.example", "https://other.example"}};
  return out;
}

std::string formOf(const Parameters& parameters) {
  std::string out;
  for (const auto& [name, value] : parameters) {
    out += (out.empty() ? "" : "&") + name + "=" + base::percentEncoded(value);
  }
  return out;
}

struct Bed {
  Bed() {
    clients.add(clientOf("app", kReturn));
    clients.add(clientOf("native", kLoopback, true));
    Client service = clientOf("service", "https://service.example/");
    service.uses_codes = false;
    clients.add(std::move(service));
  }
  Authorization ask(const std::string& query, const std::string& subject = "ann") const {
    return authorize(Form::parse(query), clients, subject, seconds(60));
  }
  // The request as it should be, with other values for some; empty: without it.
  Authorization askWith(const Parameters& other, const std::string& subject = "ann") const {
    Parameters all = good;
    for (const auto& [name, value] : other) all[name] = value;
    return ask(formOf(all), subject);
  }
  // "page STATUS", "error ERROR" or "code".
  static std::string kindOf(const Authorization& out) {
    if (const auto* const page = std::get_if<Page>(&out)) return "page " + std::to_string(page->status);
    if (const auto* const error = std::get_if<ReturnedError>(&out)) return "error " + std::string(error->refusal.error);
    return "code";
  }
  std::string with(const Parameters& other, const std::string& subject = "ann") const {
    return kindOf(askWith(other, subject));
  }

  Clients clients;
  const Parameters good = {{"client_id", "app"},
                           {"redirect_uri", kReturn},
                           {"response_type", "code"},
                           {"state", "a b"},
                           {"scope", "write"},
                           {"resource", "https://api.example"},
                           {"code_challenge", base::toBase64Url(std::string(32, 'c'))},
                           {"code_challenge_method", "S256"}};
};

TEST_CASE("a user who is logged in gets a code for what the client asks") {
  const Authorization out = Bed().askWith({});
  REQUIRE(Bed::kindOf(out) == "code");
  const auto& granted = std::get<Granted>(out);
  CHECK(granted.question.grant == Grant{"app", "ann", "write", {"https://api.example"}});
  CHECK(granted.question.redirect_uri == kReturn);
  CHECK(granted.to.state == "a b");
  CHECK(returnUrl(granted.to, "https://as.example", "code", "c+d") ==
        kReturn + "?code=c%2Bd&state=a%20b&iss=https%3A%2F%2Fas.example");
  CHECK(returnUrl({kReturn + "?a=b", ""}, "i", "error", "e", "d d") ==
        kReturn + "?a=b&error=e&error_description=d%20d&iss=i");
}

TEST_CASE("nobody is sent to where no client has said that users return") {
  const Bed bed;
  for (const char* uri :
       {"", "https://evil.example/cb", "https://app.example/cb/", "https://app.example/cb?x", "https://app.example/c",
        "https://app.example:443/cb", "HTTPS://app.example/cb", "https://app.example@evil.example/cb",
        "https://app.example/cb/../x", "//app.example/cb", "http://127.0.0.1/cb"}) {
    INFO(uri);
    CHECK(bed.with({{"redirect_uri", uri}}) == "page 400");
  }
  CHECK(bed.with({{"client_id", "nobody"}}) == "page 400");
  CHECK(bed.with({{"client_id", ""}}) == "page 400");
  CHECK(Bed::kindOf(bed.ask(formOf(bed.good) + "&redirect_uri=https://evil.example")) == "page 400");
  CHECK(Bed::kindOf(bed.ask(formOf(bed.good) + "&client_id=app")) == "page 400");
}

TEST_CASE("a public client may return to any port of a loopback address, others not") {
  const auto returns = [](const Client& client, const std::string& uri) { return client.mayReturnTo(uri); };
  const Client native = clientOf("n", "http://127.0.0.1:1/cb", true), six = clientOf("s", "http://[::1]/cb?a=b", true);
  CHECK(returns(native, "http://127.0.0.1/cb"));
  CHECK(returns(native, "http://127.0.0.1:65535/cb"));
  CHECK(returns(six, "http://[::1]:8080/cb?a=b"));
  for (const char* uri : {"http://127.0.0.1:/cb", "http://127.0.0.1:123456/cb", "http://127.0.0.1:1/cb/",
                          "http://127.0.0.1:1@evil.example/cb", "http://127.0.0.1.evil.example/cb", "http://[::1]:1/cb",
                          "http://localhost:1/cb", "https://127.0.0.1:1/cb", "http://127.0.0.1:1"}) {
    INFO(uri);
    CHECK_FALSE(returns(native, uri));
  }
  CHECK_FALSE(returns(six, "http://[::1]:8080/cb"));
  CHECK_FALSE(returns(clientOf("c", "http://127.0.0.1/cb"), "http://127.0.0.1:1/cb"));
}

TEST_CASE("what is wrong otherwise is told to the client") {
  const Bed bed;
  CHECK(bed.with({{"response_type", "token"}}) == "error unsupported_response_type");
  CHECK(bed.with({{"response_type", ""}}) == "error invalid_request");
  CHECK(bed.with({{"response_mode", "fragment"}}) == "error invalid_request");
  CHECK(bed.with({{"response_mode", "query"}}) == "code");
  CHECK(bed.with({{"code_challenge_method", "plain"}}) == "error invalid_request");
  CHECK(bed.with({{"code_challenge_method", ""}}) == "error invalid_request");
  CHECK(bed.with({{"code_challenge", ""}}) == "error invalid_request");
  CHECK(bed.with({{"code_challenge", "short"}}) == "error invalid_request");
  CHECK(bed.with({{"scope", "write admin"}}) == "error invalid_scope");
  CHECK(bed.with({{"scope", "read  write"}}) == "error invalid_scope");
  CHECK(bed.with({{"resource", "https://x.example"}}) == "error invalid_target");
  CHECK(bed.with({{"request", "x"}}) == "error request_not_supported");
  CHECK(bed.with({{"request_uri", "x"}}) == "error request_uri_not_supported");
  CHECK(bed.with({{"state", std::string(3000, 's')}}) == "error invalid_request");
  CHECK(bed.with({{"client_id", "service"}, {"redirect_uri", "https://service.example/"}}) ==
        "error unauthorized_client");
  CHECK(Bed::kindOf(bed.ask(formOf(bed.good) + "&scope=read")) == "error invalid_request");
  CHECK(Bed::kindOf(bed.ask(formOf(bed.good) + "&x=%zz")) == "error invalid_request");
  CHECK(Bed::kindOf(bed.ask(formOf(bed.good) + "&unknown=1")) == "code");
}

TEST_CASE("who is not logged in gets no code") {
  const Bed bed;
  CHECK(bed.with({}, "") == "page 401");
  CHECK(bed.with({{"prompt", "none"}}, "") == "error login_required");
  CHECK(bed.with({}, std::string(2000, 'a')) == "error server_error");
  // In Latin-1, and in UTF-8.
  CHECK(bed.with({}, "ren\xe9") == "error server_error");
  CHECK(bed.with({}, "ren\xc3\xa9") == "code");
}

TEST_CASE("a scope names each of what is wanted once, in the client's order") {
  const Client client = clientOf("c", kReturn);
  CHECK(std::get<Grant>(grantFor(client, "write read write", "")).scope == "read write");
  CHECK(std::get<Grant>(grantFor(client, "", "")).scope == "read write");
  CHECK(std::get<Grant>(grantFor(client, "", "")).audiences.size() == 2);
}

TEST_CASE("a verifier has 43 to 128 characters of those that are allowed") {
  // RFC 7636 appendix B.
  const auto challenge = challengeOf("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
  REQUIRE(challenge);
  CHECK(base::toBase64Url({reinterpret_cast<const char*>(challenge->data()), challenge->size()}) ==
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
  CHECK_FALSE(challengeOf(std::string(42, 'a')));
  CHECK(challengeOf(std::string(128, 'a')));
  CHECK_FALSE(challengeOf(std::string(129, 'a')));
  CHECK_FALSE(challengeOf(std::string(42, 'a') + "+"));
}

TEST_CASE("redirect URIs of configurations are safe places") {
  for (const char* uri : {"https://a.example/cb", "https://a.example", "http://127.0.0.1/cb", "http://[::1]:80/",
                          "http://localhost:3000/cb"}) {
    INFO(uri);
    CHECK(redirectProblem(uri, false).empty());
  }
  CHECK(redirectProblem("com.example.app:/cb", true).empty());
  for (const char* uri : {"", "/cb", "a.example/cb", "https:///cb", "https://a.example/#f", "https://u@a.example/",
                          "http://a.example/cb", "http://127.0.0.1.a.example/", "javascript:alert(1)", "data:x",
                          "myapp:/cb", "com.example.app:/cb", "https://a.example/ x", "HTTPS://a.example/"}) {
    INFO(uri);
    CHECK_FALSE(redirectProblem(uri, false).empty());
  }
}

TEST_CASE("a secret counts until it expires") {
  Client client = clientOf("c", kReturn);
  client.secrets.push_back({filter::digestOf("old"), WallTime(seconds(10))});
  CHECK(client.hasSecret("secret", WallTime(seconds(11))));
  CHECK(client.hasSecret("old", WallTime(seconds(9))));
  CHECK_FALSE(client.hasSecret("old", WallTime(seconds(10))));
  CHECK_FALSE(client.hasSecret("", WallTime(seconds(9))));
}

TEST_CASE("a certificate is the client's by one of its names") {
  using Kind = CertificateName::Kind;
  Client client;
  net::TlsInfo tls;
  tls.peer_presented = tls.peer_validated = true;
  tls.peer.subject = "CN=a,O=b";
  tls.peer.sha256 = std::string(64, 'a');
  tls.peer.dns_sans = {"x.example", "a.example"};
  tls.peer.uri_sans = {"spiffe://a"};
  tls.peer.ip_sans = {"10.0.0.1"};
  tls.peer.email_sans = {"a@b"};
  const auto has = [&](Kind kind, std::string name) {
    client.certificate = {kind, std::move(name)};
    return client.hasCertificate(&tls);
  };
  const std::vector<std::pair<Kind, std::string>> names = {{Kind::kSubject, "CN=a,O=b"},
                                                           {Kind::kDns, "a.example"},
                                                           {Kind::kUri, "spiffe://a"},
                                                           {Kind::kIp, "10.0.0.1"},
                                                           {Kind::kEmail, "a@b"}};
  for (const auto& [kind, name] : names) {
    INFO(name);
    CHECK(has(kind, name));
    CHECK_FALSE(has(kind, "other"));
    tls.peer_validated = false;
    CHECK_FALSE(has(kind, name));
    tls.peer_validated = true;
  }
  tls.peer_validated = false;
  CHECK(has(Kind::kSha256, tls.peer.sha256));
  CHECK_FALSE(client.hasCertificate(nullptr));
  tls.peer_presented = false;
  CHECK_FALSE(has(Kind::kSha256, tls.peer.sha256));
  CHECK(boundTo(&tls).empty());
  tls.peer_presented = true;
  CHECK(boundTo(&tls) == base::toBase64Url(std::string(32, '\xaa')));
}

TEST_CASE("a form is read in one meaning") {
  const Form form = Form::parse("a=1&b=x+y%26&&c=&d&%61b=2");
  CHECK(form.wrong().empty());
  CHECK(form.get("a") == "1");
  CHECK(form.get("b") == "x y&");
  CHECK(form.get("c").empty());
  CHECK(form.get("d").empty());
  CHECK(form.get("ab") == "2");
  for (const char* text : {"a=1&a=1", "a=1&%61=2", "a=%", "a=%1", "a=%zz", "a=%00", "a=%ff", "a\n=1"}) {
    INFO(text);
    CHECK_FALSE(Form::parse(text).wrong().empty());
  }
  std::string many;
  for (size_t i = 0; i <= Form::kMaxParameters; ++i) many += "p" + std::to_string(i) + "=1&";
  CHECK_FALSE(Form::parse(many).wrong().empty());
}

}  // namespace
}  // namespace sluice::extensions::http_filters::oauth2_server
