#include "source/extensions/filters/network/http_connection_manager/factory_client_cert.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "source/config/any_type.h"
#include "source/config/matcher_compiler.h"
#include "source/match/input.h"

namespace sluice::extensions::network_filters::http_connection_manager {
namespace {

using Proto = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
using config::Context;
using session::ClientCertSettings;

session::ForwardClientCert forwardOf(Proto::ForwardClientCertDetails details) {
  using Forward = session::ForwardClientCert;
  switch (details) {
    case Proto::FORWARD_ONLY:
      return Forward::kForwardOnly;
    case Proto::APPEND_FORWARD:
      return Forward::kAppendForward;
    case Proto::SANITIZE_SET:
      return Forward::kSanitizeSet;
    case Proto::ALWAYS_FORWARD_ONLY:
      return Forward::kAlwaysForwardOnly;
    default:
      return Forward::kSanitize;
  }
}

// Of HttpConnectionManager and of ForwardClientCertConfig, which have the same fields.
template <typename Config>
ClientCertSettings compileSettings(const Config& config, const Context& context) {
  const Proto::SetCurrentClientCertDetails& details = config.set_current_client_cert_details();
  if (details.format() != Proto::TEXT) {
    context.child("set_current_client_cert_details")
        .child("format")
        .error("JSON is not written here; use TEXT, which is the default");
  }
  if (!Proto::ForwardClientCertDetails_IsValid(config.forward_client_cert_details())) {
    context.child("forward_client_cert_details").error("is none of the values that there are");
  }
  return {.forward = forwardOf(config.forward_client_cert_details()),
          .subject = details.subject().value(),
          .issuer = details.issuer(),
          .cert = details.cert(),
          .chain = details.chain(),
          .dns = details.dns(),
          .uri = details.uri()};
}

}  // namespace

void compileClientCert(const Proto& proto, const config::FactoryContext& context, session::HttpSettings& out) {
  out.client_cert = compileSettings(proto, context.at);
  if (!proto.has_forward_client_cert_matcher()) return;
  auto choice = std::make_shared<session::ClientCertChoice>();
  const auto add = [&choice](const google::protobuf::Any& action, const Context& at) -> std::optional<match::Action> {
    const auto message = config::unpackAny(action, at);
    if (message == nullptr) return std::nullopt;
    if (message->GetDescriptor() != Proto::ForwardClientCertConfig::descriptor()) {
      at.error(absl::StrCat(message->GetDescriptor()->full_name(),
                            " does not say what becomes of x-forwarded-client-cert; known: ",
                            Proto::ForwardClientCertConfig::descriptor()->full_name()));
      return std::nullopt;
    }
    choice->settings.push_back(compileSettings(static_cast<const Proto::ForwardClientCertConfig&>(*message), at));
    return static_cast<match::Action>(choice->settings.size() - 1);
  };
  const config::MatchPlace place{"forward_client_cert_matcher", match::kRequestParts, false, add};
  choice->matcher =
      config::compileMatcher(proto.forward_client_cert_matcher(), place, context.child("forward_client_cert_matcher"));
  out.client_cert_choice = std::move(choice);
}

}  // namespace sluice::extensions::network_filters::http_connection_manager
