#include "source/extensions/filters/http/api_key_auth/factory.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/api_key_auth/v3/api_key_auth.pb.h"
#include "source/config/http_filter_factory.h"
#include "source/config/key_sources.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/api_key_auth/filter.h"

namespace sluice::extensions::http_filters::api_key_auth {
namespace {

namespace v3 = envoy::extensions::filters::http::api_key_auth::v3;

// Where it stands is said only of what is wrong: there may be a hundred thousand.
template <typename List>
Credentials compileCredentials(const List& list, const config::Context& at) {
  Credentials out;
  for (int i = 0; i < list.size(); ++i) {
    const v3::Credential& credential = list[i];
    const auto place = [&] { return at.child("credentials", static_cast<size_t>(i)); };
    if (std::any_of(credential.client().begin(), credential.client().end(), absl::ascii_iscntrl)) {
      place().child("client").error("holds a control character, which no header may; remove it");
    }
    if (!out.add(credential.key(), credential.client())) {
      place().child("key").error(
          "is that of another entry, too, and so does not tell who shows it; give each client its own");
    }
  }
  return out;
}

Forwarding compileForwarding(const v3::Forwarding& proto, const config::Context& at) {
  Forwarding out{"", proto.hide_credentials()};
  if (!proto.header().empty()) out.header = config::compileHeaderName(proto.header(), at.child("header"));
  return out;
}

template <typename Proto>
Policy compilePolicy(const Proto& proto, const config::Context& at) {
  Policy out;
  out.credentials = compileCredentials(proto.credentials(), at);
  out.key_sources = config::compileKeySources(proto.key_sources(), at);
  if (proto.has_forwarding()) out.forwarding = compileForwarding(proto.forwarding(), at.child("forwarding"));
  return out;
}

class Factory : public config::RoutedHttpFilterOf<v3::ApiKeyAuth, v3::ApiKeyAuthPerRoute> {
 public:
  config::HttpFilterPtr makeFilter(const v3::ApiKeyAuth& proto, const config::FactoryContext& context) const override {
    const auto counter = [&](const char* name) {
      return context.stats->counter(absl::StrCat(context.owner, "api_key_auth.", name));
    };
    return std::make_shared<FilterFactory>(
        Settings{compilePolicy(proto, context.at), counter("allowed"), counter("unauthorized"), counter("forbidden")});
  }

  config::RouteConfigPtr makeRouteConfig(const v3::ApiKeyAuthPerRoute& proto,
                                         const config::FactoryContext& context) const override {
    Policy policy = compilePolicy(proto, context.at);
    policy.allowed_clients = {proto.allowed_clients().begin(), proto.allowed_clients().end()};
    return std::make_shared<RouteSettings>(std::move(policy));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::api_key_auth
