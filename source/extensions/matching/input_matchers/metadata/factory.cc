#include "source/extensions/matching/input_matchers/metadata/factory.h"

#include <memory>

#include "envoy/extensions/matching/input_matchers/metadata/v3/metadata.pb.h"
#include "source/config/value_matcher_factory.h"
#include "source/config/value_matchers.h"
#include "source/extensions/matching/input_matchers/metadata/matcher.h"

namespace sluice::extensions::matching::input_matchers::metadata {
namespace {

using Proto = envoy::extensions::matching::input_matchers::metadata::v3::Metadata;

class Factory : public config::ValueMatcherConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::ValueMatcher> compile(const google::protobuf::Message& message,
                                                     config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    config::Regexes regexes;
    return std::make_shared<MetadataValue>(
        config::compileValueMatcher(proto.value(), context.at.child("value"), regexes), proto.invert());
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.value_matchers.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::matching::input_matchers::metadata
