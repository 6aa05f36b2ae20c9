#include "source/config/unknown_fields.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/unknown_field_set.h"

#include "source/config/any_type.h"
#include "source/config/known_fields.h"
#include "source/config/walk.h"

namespace sluice::config {
namespace {

using google::protobuf::Message;

// Messages that let in or keep out: what is not understood in them may have kept somebody out.
bool decidesAccess(std::string_view type) {
  static constexpr std::string_view kPrefixes[] = {
      "envoy.config.common.matcher.",
      "envoy.config.core.v3.CidrRange",
      "envoy.config.listener.v3.FilterChainMatch",
      "envoy.config.ratelimit.",
      "envoy.config.rbac.",
      "envoy.config.route.v3.CookieMatcher",
      "envoy.config.route.v3.HeaderMatcher",
      "envoy.config.route.v3.QueryParameterMatcher",
      "envoy.config.route.v3.RateLimit",
      "envoy.config.route.v3.RouteMatch",
      "envoy.extensions.common.ratelimit.",
      "envoy.extensions.common.matching.",
      "envoy.extensions.filters.common.",
      "envoy.extensions.filters.http.api_key_auth.",
      "envoy.extensions.filters.http.basic_auth.",
      "envoy.extensions.filters.http.composite.",
      "envoy.extensions.filters.http.cors.",
      "envoy.extensions.filters.http.csrf.",
      "envoy.extensions.filters.http.ext_authz.",
      "envoy.extensions.filters.http.ext_proc.",
      "envoy.extensions.filters.http.jwt_authn.",
      "envoy.extensions.filters.http.local_ratelimit.",
      "envoy.extensions.filters.http.oauth2.",
      "envoy.extensions.filters.http.ratelimit.",
      "envoy.extensions.filters.http.rbac.",
      "envoy.extensions.filters.network.connection_limit.",
      "envoy.extensions.filters.network.ext_authz.",
      "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig",
      "envoy.extensions.filters.network.local_ratelimit.",
      "envoy.extensions.filters.network.ratelimit.",
      "envoy.extensions.filters.network.rbac.",
      "envoy.extensions.http.original_ip_detection.",
      "envoy.extensions.matching.",
      "envoy.extensions.path.match.",
      "envoy.extensions.rbac.",
      "envoy.extensions.transport_sockets.tls.",
      "envoy.type.matcher.",
      "google.api.expr.",
      "sluice.extensions.filters.http.hmac_auth.",
      "sluice.extensions.filters.http.key_auth.",
      "sluice.extensions.filters.http.ldap_auth.",
      "sluice.extensions.filters.http.mtls_auth.",
      "xds.type.matcher.",
  };
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [type](std::string_view prefix) { return type.starts_with(prefix); });
}

class Checker {
 public:
  explicit Checker(UnknownFieldPolicy policy) : policy_(policy) {}

  void check(const Message& message, const Context& context, int depth) {
    const auto& unknown = message.GetReflection()->GetUnknownFields(message);
    int previous = 0;
    for (int i = 0; i < unknown.field_count(); ++i) {
      const int number = unknown.field(i).number();
      if (number != previous) checkField(message, number, context);  // a repeated field's items follow each other
      previous = number;
    }
    if (depth >= kMaxMessageDepth) return;
    if (message.GetDescriptor()->full_name() == "google.protobuf.Any") {
      checkAny(static_cast<const google::protobuf::Any&>(message), context, depth);
      return;
    }
    forEachSubmessage(message, context, [&](const Message& child, const Context& at) { check(child, at, depth + 1); });
  }

  UnknownFields result() { return std::move(result_); }

 private:
  void checkField(const Message& message, int number, const Context& context) {
    const std::string& type = message.GetDescriptor()->full_name();
    const std::string_view name = knownFieldName(type, number);
    if (!name.empty()) {
      ++result_.refused;
      context.child(name).error(
          absl::StrCat("is a field of Envoy's ", message.GetDescriptor()->name(), " that ", whyRefused(type, name),
                       "; ignoring it could change what the "
                       "configuration means"),
          "unsupported field");
      return;
    }
    const std::string what = absl::StrCat("field ", number, " of ", type);
    const bool decides = decidesAccess(type);
    if (decides || policy_ == UnknownFieldPolicy::kRefuseAll) {
      ++result_.refused;
      context.error(absl::StrCat("holds ", what, ", which is not known; it may be from a newer version",
                                 decides ? ", and ignoring it could let in what it keeps out" : ""),
                    "unknown field");
      return;
    }
    constexpr size_t kMaxKept = 20;
    ++result_.ignored;
    if (result_.ignored_paths.size() < kMaxKept)
      result_.ignored_paths.push_back(absl::StrCat(context.path(), ": ", what));
  }

  // An unknown type is the business of whoever unpacks it.
  void checkAny(const google::protobuf::Any& any, const Context& context, int depth) {
    const std::unique_ptr<Message> inner = newMessage(typeNameOf(any.type_url()));
    if (inner != nullptr && inner->ParseFromString(any.value())) check(*inner, context, depth + 1);
  }

  UnknownFieldPolicy policy_;
  UnknownFields result_;
};

}  // namespace

UnknownFields checkUnknownFields(const Message& message, UnknownFieldPolicy policy, const Context& context) {
  Checker checker(policy);
  checker.check(message, context, 0);
  return checker.result();
}

}  // namespace sluice::config
