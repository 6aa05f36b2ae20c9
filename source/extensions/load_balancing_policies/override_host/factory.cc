#include "source/extensions/load_balancing_policies/override_host/factory.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "envoy/extensions/load_balancing_policies/override_host/v3/override_host.pb.h"
#include "source/config/lb_policy_factory.h"
#include "source/config/route_texts.h"
#include "source/extensions/load_balancing_policies/override_host/policy.h"

namespace sluice::extensions::load_balancing_policies::override_host {
namespace {

using Proto = ::envoy::extensions::load_balancing_policies::override_host::v3::OverrideHost;

Source sourceOf(const Proto::OverrideHostSource& proto, const config::Context& context) {
  Source out{.header = absl::AsciiStrToLower(proto.header())};
  if (proto.header().empty() != proto.has_metadata()) context.error("needs either a header or metadata, and not both");
  if (!proto.header().empty() && !config::isToken(proto.header())) {
    context.child("header").error("is no header name; use letters, digits and !#$%&'*+-.^_`|~ only");
  }
  out.filter = proto.metadata().key();
  for (const auto& segment : proto.metadata().path()) out.path.push_back(segment.key());
  return out;
}

class Factory : public config::LbPolicyFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  LbPolicyPtr compile(const google::protobuf::Message& message, config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    std::vector<Source> sources;
    for (int i = 0; i < proto.override_host_sources_size(); ++i) {
      const config::Context at = context.at.child("override_host_sources", static_cast<size_t>(i));
      sources.push_back(sourceOf(proto.override_host_sources(i), at));
    }
    LbPolicyPtr fallback = config::compileLbPolicies(proto.fallback_policy(), context.child("fallback_policy"));
    return fallback == nullptr ? nullptr : std::make_shared<Policy>(std::move(sources), std::move(fallback));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.lb_policies.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::load_balancing_policies::override_host
