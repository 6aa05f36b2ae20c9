#include "source/extensions/matching/input_matchers/runtime_fraction/factory.h"

#include <memory>

#include "envoy/extensions/matching/input_matchers/runtime_fraction/v3/runtime_fraction.pb.h"
#include "source/config/runtime_compiler.h"
#include "source/config/value_matcher_factory.h"
#include "source/extensions/matching/input_matchers/runtime_fraction/matcher.h"

namespace sluice::extensions::matching::input_matchers::runtime_fraction {
namespace {

using Proto = envoy::extensions::matching::input_matchers::runtime_fraction::v3::RuntimeFraction;

class Factory : public config::ValueMatcherConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::ValueMatcher> compile(const google::protobuf::Message& message,
                                                     config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    return std::make_shared<FractionMatcher>(
        config::compileFraction(proto.runtime_fraction(), context.services.runtime.get()), proto.seed());
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.value_matchers.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::matching::input_matchers::runtime_fraction
