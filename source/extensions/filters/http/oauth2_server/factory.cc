#include "source/extensions/filters/http/oauth2_server/factory.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sluice/extensions/filters/http/oauth2_server/v1/oauth2_server.pb.h"
#include "source/base/text.h"
#include "source/config/http_filter_factory.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/oauth2_server/factory_clients.h"
#include "source/extensions/filters/http/oauth2_server/filter.h"
#include "source/extensions/filters/http/oauth2_server/json_object.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

namespace v1 = ::sluice::extensions::filters::http::oauth2_server::v1;
using std::chrono::seconds;

constexpr std::string_view kWellKnown = "/.well-known/oauth-authorization-server";

seconds secondsOr(bool is_set, const google::protobuf::Duration& duration, seconds otherwise) {
  return is_set ? seconds(duration.seconds()) : otherwise;
}

// Its scheme and host; empty after an error.
std::string originOf(const std::string& issuer, const config::Context& at) {
  const size_t authority = issuer.find("://") + 3;
  const std::string_view scheme = std::string_view(issuer).substr(0, issuer.find(':'));
  const bool is_url = issuer.find("://") != std::string::npos && (scheme == "https" || scheme == "http") &&
                      std::all_of(issuer.begin(), issuer.end(), [](char c) { return c > 0x20 && c < 0x7f; }) &&
                      issuer.find_first_of("?#@\"\\") == std::string::npos && authority < issuer.size() &&
                      issuer[authority] != '/' && issuer.back() != '/';
  if (!is_url) {
    at.error("is no issuer; write an https URL without user, query, fragment or slash at its end");
    return {};
  }
  if (const std::string_view problem = redirectProblem(issuer, false); !problem.empty()) {
    at.error(std::string(problem));
    return {};
  }
  return issuer.substr(0, issuer.find('/', authority));
}

void compilePaths(const v1::OAuth2Server& proto, std::string_view issuer_path, const config::Context& at,
                  Settings& out) {
  const v1::Paths& paths = proto.paths();
  const auto path = [&](Endpoint endpoint, const char* field, const std::string& text, std::string otherwise) {
    std::string& to = out.paths[static_cast<size_t>(endpoint)];
    const std::string wanted = text.empty() ? std::move(otherwise) : text;
    const bool good = wanted[0] == '/' &&
                      std::all_of(wanted.begin(), wanted.end(), [](char c) { return c > 0x20 && c < 0x7f; }) &&
                      wanted.find_first_of("?#\"\\") == std::string::npos;
    if (!good) {
      at.child("paths").child(field).error("is no path; begin with a slash, and leave out query and fragment");
    } else if (std::find(out.paths.begin(), out.paths.end(), wanted) != out.paths.end()) {
      at.child("paths").child(field).error("is another one's path, too; give each its own");
    } else {
      to = wanted;
    }
  };
  path(Endpoint::kToken, "token", paths.token(), "/oauth2/token");
  path(Endpoint::kAuthorize, "authorize", paths.authorize(), "/oauth2/authorize");
  path(Endpoint::kIntrospect, "introspect", paths.introspect(), "/oauth2/introspect");
  path(Endpoint::kRevoke, "revoke", paths.revoke(), "/oauth2/revoke");
  path(Endpoint::kJwks, "jwks", paths.jwks(), "/oauth2/jwks");
  path(Endpoint::kMetadata, "metadata", paths.metadata(), base::strCat(kWellKnown, issuer_path));
}

// (RFC 8414 section 2)
std::string metadataOf(const Settings& settings, const std::string& origin) {
  const std::vector<std::string> kSecrets = {"client_secret_basic", "client_secret_post", "tls_client_auth",
                                             "self_signed_tls_client_auth"};
  std::vector<std::string> all = kSecrets;
  all.emplace_back("none");
  const auto url = [&](Endpoint endpoint) { return origin + settings.paths[static_cast<size_t>(endpoint)]; };
  return JsonObject()
      .text("issuer", settings.issuer)
      .text("authorization_endpoint", url(Endpoint::kAuthorize))
      .text("token_endpoint", url(Endpoint::kToken))
      .text("introspection_endpoint", url(Endpoint::kIntrospect))
      .text("revocation_endpoint", url(Endpoint::kRevoke))
      .text("jwks_uri", url(Endpoint::kJwks))
      .texts("response_types_supported", {"code"})
      .texts("response_modes_supported", {"query"})
      .texts("grant_types_supported", {"authorization_code", "refresh_token", "client_credentials"})
      .texts("code_challenge_methods_supported", {"S256"})
      .texts("token_endpoint_auth_methods_supported", all)
      .texts("revocation_endpoint_auth_methods_supported", all)
      .texts("introspection_endpoint_auth_methods_supported", kSecrets)
      .flag("authorization_response_iss_parameter_supported", true)
      .flag("tls_client_certificate_bound_access_tokens", true)
      .end();
}

TokenServer::Settings compileRules(const v1::OAuth2Server& proto) {
  TokenServer::Settings out;
  if (proto.keys().algorithm() == "RS256") out.algorithm = SigningAlgorithm::kRs256;
  out.rotation_period =
      secondsOr(proto.keys().has_rotation_period(), proto.keys().rotation_period(), out.rotation_period);
  // Half a second is not never.
  out.rules.reuse_grace = seconds(proto.reuse_grace().seconds() + (proto.reuse_grace().nanos() > 0 ? 1 : 0));
  const auto limit = [](bool is_set, const google::protobuf::UInt32Value& value, size_t& to) {
    if (is_set) to = value.value();
  };
  Limits& limits = out.rules.limits;
  limit(proto.limits().has_codes(), proto.limits().codes(), limits.codes);
  limit(proto.limits().has_logins(), proto.limits().logins(), limits.logins);
  limit(proto.limits().has_revoked_tokens(), proto.limits().revoked_tokens(), limits.revoked_tokens);
  limit(proto.limits().has_per_user(), proto.limits().per_user(), limits.per_user);
  return out;
}

// It goes on main, whoever lets it go; then what that filter says holds no more.
std::shared_ptr<TokenServer> handleOf(std::shared_ptr<TokenServer> server, uint64_t filter, event::Loop& main) {
  TokenServer* const made = server.get();
  return {made, [server = std::move(server), filter, &main](TokenServer*) mutable {
            main.post([server = std::move(server), filter] { server->leave(filter); });
          }};
}

// What main says to the server when clients change.
struct Held {
  TokenServer::Settings rules;
  std::weak_ptr<TokenServer> server;
  uint64_t filter = 0;  // as the server knows it
};

// Null after reporting, and where configurations are only checked.
std::shared_ptr<TokenServer> openServer(const v1::OAuth2Server& proto, Held& held,
                                        const config::FactoryContext& context) {
  const config::Context at = context.at.child("store");
  Journal::Options options;
  options.path = proto.store().path();
  if (const std::string& path = proto.store().key_file(); !path.empty()) {
    envoy::config::core::v3::DataSource source;
    source.set_filename(path);
    const auto text = config::compileDataSource(source, at.child("key_file"));
    if (!text) return nullptr;
    options.sealer = crypto::Sealer::parse(*text);
    if (!options.sealer) {
      at.child("key_file").error("holds no key; write 32 bytes, or their 64 hexadecimal digits (openssl rand -hex 32)");
      return nullptr;
    }
  }
  if (context.services.main == nullptr) return nullptr;
  event::Loop& main = context.services.main->loop;
  const auto sealer = options.sealer;
  // Of the whole process: two listeners may have it.
  auto server = context.services.objects.get<TokenServer>("oauth2 store " + options.path, [&] {
    auto opened =
        TokenServer::open(std::move(options), held.rules,
                          {.main = main, .slots = context.services.local_slots, .logger = context.services.logger});
    if (opened.ok()) return *std::move(opened);
    at.child("path").error(std::string(opened.status().message()));
    return std::shared_ptr<TokenServer>();
  });
  if (server == nullptr) return nullptr;
  if (!server->isSealedBy(sealer)) {
    at.child("key_file").error("is not the key by which this process has the store open; restart it for another one");
    return nullptr;
  }
  held.filter = server->join(held.rules);
  auto out = handleOf(std::move(server), held.filter, main);
  held.server = out;
  return out;
}

class Factory : public config::HttpFilterOf<v1::OAuth2Server> {
 public:
  config::HttpFilterPtr makeFilter(const v1::OAuth2Server& proto,
                                   const config::FactoryContext& context) const override {
    const config::ErrorMark mark(context.at);
    const auto counter = [&](const char* name) {
      return context.stats->counter(absl::StrCat(context.owner, "oauth2_server.", name));
    };
    Settings out;
    out.issuer = proto.issuer();
    const std::string origin = originOf(out.issuer, context.at.child("issuer"));
    compilePaths(proto, origin.empty() ? "" : std::string_view(out.issuer).substr(origin.size()), context.at, out);
    out.metadata = metadataOf(out, origin);
    out.code_lifetime = secondsOr(proto.has_code_lifetime(), proto.code_lifetime(), out.code_lifetime);

    const auto held = std::make_shared<Held>();
    held->rules = compileRules(proto);
    out.keys_max_age = std::min(seconds(300), held->rules.rotation_period / 2);
    out.clients = compileClients(proto, context, [held](const Clients& clients, const config::Context& at) {
      constexpr int64_t kMost = TokenServer::kMaxKeys / 2;
      const seconds longest = longestToken(clients);
      if (longest / held->rules.rotation_period > kMost) {
        return at.child("keys")
            .child("rotation_period")
            .error(absl::StrCat("is too short for tokens of ", longest.count(), " s, of which more than ", kMost,
                                " keys would have to be published; make it longer"));
      }
      held->rules.longest_token = longest;
      if (const auto server = held->server.lock()) server->configure(held->filter, held->rules);
    });
    // A store is opened for what is right otherwise.
    if (mark.hit()) return nullptr;
    out.server = openServer(proto, *held, context);

    out.codes = counter("codes");
    out.tokens = counter("tokens");
    out.refused = counter("refused");
    out.client_refused = counter("client_refused");
    out.reused = counter("reused");
    out.introspected = counter("introspected");
    out.revoked = counter("revoked");
    out.unavailable = counter("unavailable");
    return std::make_shared<FilterFactory>(std::move(out));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::oauth2_server
