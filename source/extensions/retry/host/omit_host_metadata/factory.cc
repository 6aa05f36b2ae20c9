#include "source/extensions/retry/host/omit_host_metadata/factory.h"

#include <memory>

#include "envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config.pb.h"
#include "source/config/metadata_match.h"
#include "source/config/retry_predicate_factory.h"
#include "source/extensions/retry/host/omit_host_metadata/predicate.h"

namespace sluice::extensions::retry::host::omit_host_metadata {
namespace {

using Proto = ::envoy::extensions::retry::host::omit_host_metadata::v3::OmitHostMetadataConfig;

class Factory : public config::RetryPredicateConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const route::RetryHostPredicate> compile(const google::protobuf::Message& message,
                                                           config::FactoryContext context) const override {
    const auto wanted = config::compileMetadataMatch(static_cast<const Proto&>(message).metadata_match());
    if (wanted == nullptr) {
      context.at.child("metadata_match").warn("says nothing under envoy.lb, so no host is passed over");
      return std::make_shared<Predicate>(stream::MetadataCriteria());
    }
    return std::make_shared<Predicate>(*wanted);
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.retry_host_predicates.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::retry::host::omit_host_metadata
