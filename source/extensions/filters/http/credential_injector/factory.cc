#include "source/extensions/filters/http/credential_injector/factory.h"

#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "envoy/extensions/filters/http/credential_injector/v3/credential_injector.pb.h"
#include "envoy/extensions/http/injected_credentials/generic/v3/generic.pb.h"
#include "source/config/any_type.h"
#include "source/config/generic_secret.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/extensions/filters/http/credential_injector/filter.h"

namespace sluice::extensions::http_filters::credential_injector {
namespace {

namespace v3 = envoy::extensions::filters::http::credential_injector::v3;
using config::Context;
using envoy::extensions::http::injected_credentials::generic::v3::Generic;

std::string compileHeader(const std::string& name, const Context& at) {
  if (name.empty()) return "authorization";
  std::string lower = absl::AsciiStrToLower(name);
  if (!config::isToken(lower)) at.error("is no header name; use letters, digits and !#$%&'*+-.^_`|~ only");
  for (const char* own : {"host", "content-length", "transfer-encoding", "connection"}) {
    if (lower == own) at.error(absl::StrCat("\"", name, "\" belongs to the proxy; use another header"));
  }
  return lower;
}

void compileGeneric(const Generic& proto, const config::FactoryContext& context, Settings& out) {
  out.header = compileHeader(proto.header(), context.at.child("header"));
  out.prefix = proto.header_value_prefix();
  if (out.prefix.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    context.at.child("header_value_prefix").error("holds CR, LF or NUL, which would end the header; remove them");
  }
  out.secret = config::compileGenericSecret(proto.credential(), context.child("credential"));
}

class Factory : public config::HttpFilterOf<v3::CredentialInjector> {
 public:
  std::string_view upstreamRefusal() const override { return {}; }

  config::HttpFilterPtr makeFilter(const v3::CredentialInjector& proto,
                                   const config::FactoryContext& context) const override {
    const config::ErrorMark mark(context.at);
    const auto counter = [&](const char* name) {
      return context.stats->counter(absl::StrCat(context.owner, "credential_injector.", name));
    };
    Settings settings;
    settings.overwrite = proto.overwrite();
    settings.allow_without = proto.allow_request_without_credential();
    settings.injected = counter("injected");
    settings.already_exists = counter("already_exists");
    settings.failed = counter("failed");
    const config::FactoryContext at = context.child("credential").child("typed_config");
    const auto generic = config::unpackOnly<Generic>(proto.credential().typed_config(), at.at);
    if (generic != nullptr) compileGeneric(*generic, at, settings);
    if (mark.hit() || settings.secret == nullptr) return nullptr;
    return std::make_shared<FilterFactory>(std::move(settings));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::credential_injector
