#include "source/extensions/filters/http/jwt_authn/factory_provider.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "source/base/ascii.h"
#include "source/base/entropy.h"
#include "source/base/text.h"
#include "source/config/followed_file.h"
#include "source/config/http_uri.h"
#include "source/config/route_texts.h"
#include "source/config/stable_bytes.h"
#include "source/config/values.h"

namespace sluice::extensions::http_filters::jwt_authn {
namespace {

namespace v3 = envoy::extensions::filters::http::jwt_authn::v3;
using config::Context;
using config::FactoryContext;
using envoy::config::core::v3::DataSource;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kListenerWait = seconds(5);

// --- keys ------------------------------------------------------------------------------------------------------------

// Null where there are none. `may_lack`: a set that cannot be used is one of no keys, by which no token is good.
KeySetPtr readKeys(DataSource source, bool may_lack, const Context& at) {
  source.clear_watched_directory();
  const std::optional<std::string> text = config::compileDataSource(source, at);
  if (!text) return nullptr;
  std::vector<std::string> skipped;
  std::string error;
  KeySetPtr keys = jwt::KeySet::parse(*text, skipped, error);
  if (keys == nullptr && may_lack) {
    at.warn(absl::StrCat("holds no keys: ", error, "; tokens of this provider are refused"));
    return std::make_shared<const jwt::KeySet>(std::vector<jwt::KeySet::Entry>());
  }
  if (keys == nullptr) at.error(absl::StrCat("holds no keys: ", error));
  for (const std::string& what : skipped) at.warn(absl::StrCat("has a key that is not used: ", what));
  return keys;
}

// What may lack keys is the set that is read with the configuration, not a later one in its place.
KeySource compileLocal(const DataSource& proto, const std::string& stats, const FactoryContext& context) {
  auto keys = config::readAndFollow<jwt::KeySet>(
      proto, {.what = "jwt_authn: the keys", .stats = stats, .log = "jwt"}, context,
      [proto, may_lack = context.services.defaults == config::Defaults::kEnvoy](const FactoryContext& read) mutable {
        return readKeys(proto, std::exchange(may_lack, false), read.at);
      });
  return keys == nullptr ? KeySource() : KeySource(std::move(keys));
}

// The authority and the path of a URL, whose scheme is for people: the cluster says how it connects.
void compileUri(const envoy::config::core::v3::HttpUri& proto, const FactoryContext& context,
                worker::HttpCallRequest& out) {
  const Context at = context.at.child("uri");
  std::string_view rest = proto.uri();
  if (const size_t scheme = rest.find("://"); scheme != std::string_view::npos) {
    if (const auto name = rest.substr(0, scheme); name != "https" && name != "http") {
      at.error("begins with no scheme that keys may come by; write https:// or http://");
    }
    rest.remove_prefix(scheme + 3);
  }
  config::compileHttpUri(proto, rest, "fetched", context, out);
}

void compileRetries(const envoy::config::core::v3::RetryPolicy& proto, jwt::RemoteKeys::Settings& out) {
  out.retries = proto.has_num_retries() ? proto.num_retries().value() : 1;
  if (!proto.has_retry_back_off()) return;
  out.retry_base = config::compileMilliseconds(proto.retry_back_off().base_interval());
  out.retry_most = proto.retry_back_off().has_max_interval()
                       ? config::compileMilliseconds(proto.retry_back_off().max_interval())
                       : out.retry_base * 10;
}

KeySource compileRemote(const v3::RemoteJwks& proto, const std::string& stats, const FactoryContext& context) {
  const config::ErrorMark mark(context.at);
  jwt::RemoteKeys::Settings settings{.uri = proto.http_uri().uri()};
  compileUri(proto.http_uri(), context.child("http_uri"), settings.request);
  if (proto.has_cache_duration()) settings.fresh_for = config::compileMilliseconds(proto.cache_duration());
  if (proto.async_fetch().has_failed_refetch_duration()) {
    settings.refetch_delay = config::compileMilliseconds(proto.async_fetch().failed_refetch_duration());
    if (settings.refetch_delay.count() == 0) {
      context.at.child("async_fetch")
          .child("failed_refetch_duration")
          .error("is 0; keys would be asked for all the time");
    }
  }
  if (proto.has_retry_policy()) compileRetries(proto.retry_policy(), settings);
  worker::MainServices* const main = context.services.main;
  if (mark.hit() || main == nullptr) return {};
  const std::string name = absl::StrCat("keys of ", settings.uri);
  const auto keys =
      context.shared<jwt::RemoteKeys>(absl::StrCat("jwks ", stats, config::stableBytes(proto)), std::move(settings),
                                      jwt::RemoteKeys::World{*main, context.services.local_slots, context.stats, stats,
                                                             context.services.logger, base::drawSeed()});
  if (!proto.async_fetch().fast_listener()) {
    keys->holdUntilKeys(std::make_shared<config::InitTarget>(context.waitFor(name, kListenerWait)));
  }
  return KeySource(std::shared_ptr<const jwt::RemoteKeys>(keys));
}

// --- where tokens are
// --------------------------------------------------------------------------------------------------

std::vector<Location> compileLocations(const v3::JwtProvider& proto, const Context& at) {
  std::vector<Location> out;
  for (const v3::JwtHeader& header : proto.from_headers()) {
    out.push_back({Location::Kind::kHeader, base::lowered(header.name()), base::lowered(header.value_prefix())});
  }
  const auto add = [&](Location::Kind kind, const auto& names, std::string_view field) {
    for (int i = 0; i < names.size(); ++i) {
      if (names[i].empty()) at.child(field, static_cast<size_t>(i)).error("is empty; write its name");
      out.push_back({kind, names[i], ""});
    }
  };
  add(Location::Kind::kParameter, proto.from_params(), "from_params");
  add(Location::Kind::kCookie, proto.from_cookies(), "from_cookies");
  if (!out.empty()) return out;
  return {{Location::Kind::kHeader, "authorization", "bearer "}, {Location::Kind::kParameter, "access_token", ""}};
}

// --- what they leave
// ---------------------------------------------------------------------------------------------------

ClaimHeader compileClaim(const v3::JwtClaimToHeader& proto, const Context& at) {
  ClaimHeader out{.name = config::compileHeaderName(proto.header_name(), at.child("header_name"))};
  if (proto.claim_name().empty() == proto.claim_path().empty()) {
    at.error("needs one of claim_name and claim_path, and not both");
  }
  if (!proto.claim_name().empty()) out.path = absl::StrSplit(proto.claim_name(), '.');
  for (const auto& segment : proto.claim_path()) out.path.push_back(segment.key());
  return out;
}

void compileOutput(const v3::JwtProvider& proto, const Context& at, Provider& out) {
  out.forward = proto.forward();
  out.clear_route = proto.clear_route_cache();
  out.pad_payload = proto.pad_forward_payload_header();
  if (!proto.forward_payload_header().empty()) {
    out.payload_header = config::compileHeaderName(proto.forward_payload_header(), at.child("forward_payload_header"));
  }
  for (int i = 0; i < proto.claim_to_headers_size(); ++i) {
    out.claim_headers.push_back(
        compileClaim(proto.claim_to_headers(i), at.child("claim_to_headers", static_cast<size_t>(i))));
  }
  out.payload_key = proto.payload_in_metadata();
  out.header_key = proto.header_in_metadata();
  out.failure_key = proto.failed_status_in_metadata();
  if (!out.payload_key.empty() && out.payload_key == out.header_key) {
    at.child("header_in_metadata").error("is the key of the payload, too; give each its own");
  }
  const auto& normalize = proto.normalize_payload_in_metadata();
  if (proto.has_normalize_payload_in_metadata() && out.payload_key.empty()) {
    at.child("normalize_payload_in_metadata").error("has no effect without payload_in_metadata");
  }
  out.claims_of_words = {normalize.space_delimited_claims().begin(), normalize.space_delimited_claims().end()};
}

}  // namespace

std::unique_ptr<Provider> compileProvider(const v3::JwtProvider& proto, const std::string& stats,
                                          const FactoryContext& context) {
  auto out = std::make_unique<Provider>();
  out->issuer = proto.issuer();
  for (const std::string& audience : proto.audiences()) out->audiences.push_back(simplifiedAudience(audience));
  if (proto.has_subjects()) {
    config::Regexes regexes;
    out->subjects = regexes.stringMatcher(proto.subjects(), context.at.child("subjects"));
  }
  out->require_expiration = proto.require_expiration();
  if (proto.has_max_lifetime()) {
    out->max_lifetime = std::chrono::duration_cast<seconds>(config::compileDuration(proto.max_lifetime()));
    if (out->max_lifetime->count() <= 0) context.at.child("max_lifetime").error("is less than a second");
  }
  if (proto.clock_skew_seconds() != 0) out->clock_skew = seconds(proto.clock_skew_seconds());
  out->locations = compileLocations(proto, context.at);
  if (proto.has_remote_jwks()) out->keys = compileRemote(proto.remote_jwks(), stats, context.child("remote_jwks"));
  if (proto.has_local_jwks()) out->keys = compileLocal(proto.local_jwks(), stats, context.child("local_jwks"));
  if (proto.has_jwt_cache_config()) {
    const v3::JwtCacheConfig& cache = proto.jwt_cache_config();
    out->cache_size = cache.jwt_cache_size() == 0 ? 100 : cache.jwt_cache_size();
    if (cache.jwt_max_token_size() != 0) out->cache_max_token = cache.jwt_max_token_size();
  }
  compileOutput(proto, context.at, *out);
  return out;
}

}  // namespace sluice::extensions::http_filters::jwt_authn
