#include "source/extensions/filters/http/hmac_auth/factory.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "sluice/extensions/filters/http/hmac_auth/v1/hmac_auth.pb.h"
#include "source/config/consumers.h"
#include "source/config/group_access.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/hmac_auth/filter.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::hmac_auth {
namespace {

namespace v1 = sluice::extensions::filters::http::hmac_auth::v1;

constexpr std::string_view kDerived[] = {"@method",         "@target-uri", "@authority", "@scheme",
                                         "@request-target", "@path",       "@query"};
constexpr std::string_view kLines[] = {"request-line", "@request-target"};

// Rounded up, as what is compared is in whole seconds.
std::chrono::seconds secondsOr(bool is_set, const google::protobuf::Duration& duration, std::chrono::seconds usual) {
  return is_set ? std::chrono::seconds(duration.seconds() + (duration.nanos() > 0 ? 1 : 0)) : usual;
}

// Names that are fields or among `others`.
template <typename Names, size_t Size>
std::vector<std::string> compileNames(const Names& names, const std::string_view (&others)[Size], const char* field,
                                      const config::Context& at) {
  std::vector<std::string> out;
  for (int i = 0; i < names.size(); ++i) {
    std::string name = absl::AsciiStrToLower(names[i]);
    if (std::find(std::begin(others), std::end(others), name) == std::end(others) && !http::validLowerName(name)) {
      std::string known;
      for (const std::string_view each : others) absl::StrAppend(&known, ", ", std::string(each));
      at.child(field, static_cast<size_t>(i))
          .error(absl::StrCat("\"", names[i], "\" is no name of a field; write one, or one of", known.substr(1)));
    }
    out.push_back(std::move(name));
  }
  return out;
}

MessageRules compileMessage(const v1::MessageSignatures& proto, const config::Context& at) {
  MessageRules out;
  out.required = compileNames(proto.required_components(), kDerived, "required_components", at);
  if (out.required.empty()) out.required = {"@method", "@authority", "@path", "@query", "content-digest"};
  out.max_age = secondsOr(proto.has_max_age(), proto.max_age(), out.max_age);
  out.clock_skew = secondsOr(proto.has_clock_skew(), proto.clock_skew(), out.clock_skew);
  out.tag = proto.tag();
  return out;
}

AuthorizationRules compileAuthorization(const v1::AuthorizationSignatures& proto, const config::Context& at) {
  AuthorizationRules out;
  for (const std::string& name : proto.algorithms()) out.hashes.push_back(hashNamed(name).value_or(Hash::kSha256));
  if (out.hashes.empty()) out.hashes = {Hash::kSha256, Hash::kSha384, Hash::kSha512};
  out.required = compileNames(proto.enforce_headers(), kLines, "enforce_headers", at);
  out.clock_skew = secondsOr(proto.has_clock_skew(), proto.clock_skew(), out.clock_skew);
  out.digest_required = proto.validate_request_body();
  return out;
}

class Factory : public config::RoutedHttpFilterOf<v1::HmacAuth, v1::HmacAuthPerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const v1::HmacAuth& proto, const config::FactoryContext& context) const override {
    Settings out;
    const auto challenge = [&](const char* scheme) {
      const std::string realm = proto.realm().empty() ? "" : absl::StrCat(" realm=\"", proto.realm(), "\"");
      out.challenges.emplace_back("www-authenticate", scheme + realm);
    };
    if (proto.has_message_signatures()) {
      out.message = compileMessage(proto.message_signatures(), context.at.child("message_signatures"));
      challenge("Signature");
    }
    if (proto.has_authorization()) {
      out.authorization = compileAuthorization(proto.authorization(), context.at.child("authorization"));
      challenge("hmac");
    }
    if (out.challenges.empty()) {
      context.at.error("takes no form of signatures; give it message_signatures: {} or authorization: {}");
    }
    std::string header;
    if (const std::string& name = proto.forwarding().header(); !name.empty()) {
      header = config::compileHeaderName(name, context.at.child("forwarding").child("header"));
    }
    auto consumers =
        config::compileConsumers({.filter = "hmac_auth", .source = proto.consumers(), .anonymous = proto.anonymous()},
                                 context.child("consumers"));
    out.gate = config::makeConsumerGate("hmac_auth", std::move(consumers), std::move(header), "expired_signature_key",
                                        context);
    out.hide_credentials = proto.forwarding().hide_credentials();
    if (proto.has_max_body_bytes()) out.max_body = proto.max_body_bytes().value();
    return std::make_shared<FilterFactory>(std::move(out));
  }

  config::RouteConfigPtr makeRouteConfig(const v1::HmacAuthPerRoute& proto,
                                         const config::FactoryContext&) const override {
    return config::compileGroupAccess(proto);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::hmac_auth
