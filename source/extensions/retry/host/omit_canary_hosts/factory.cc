#include "source/extensions/retry/host/omit_canary_hosts/factory.h"

#include <memory>

#include "envoy/extensions/retry/host/omit_canary_hosts/v3/omit_canary_hosts.pb.h"
#include "source/config/retry_predicate_factory.h"
#include "source/extensions/retry/host/omit_canary_hosts/predicate.h"

namespace sluice::extensions::retry::host::omit_canary_hosts {
namespace {

using Proto = ::envoy::extensions::retry::host::omit_canary_hosts::v3::OmitCanaryHostsPredicate;

class Factory : public config::RetryPredicateConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const route::RetryHostPredicate> compile(const google::protobuf::Message&,
                                                           config::FactoryContext) const override {
    return std::make_shared<Predicate>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.retry_host_predicates.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::retry::host::omit_canary_hosts
