#include "source/extensions/matching/input_matchers/consistent_hashing/factory.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "envoy/extensions/matching/input_matchers/consistent_hashing/v3/consistent_hashing.pb.h"
#include "source/config/value_matcher_factory.h"
#include "source/extensions/matching/input_matchers/consistent_hashing/matcher.h"

namespace sluice::extensions::matching::input_matchers::consistent_hashing {
namespace {

using Proto = envoy::extensions::matching::input_matchers::consistent_hashing::v3::ConsistentHashing;

class Factory : public config::ValueMatcherConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::ValueMatcher> compile(const google::protobuf::Message& message,
                                                     config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    if (proto.threshold() >= proto.modulo()) {
      context.at.child("threshold")
          .warn(absl::StrCat("is ", proto.threshold(), " and no hash modulo ", proto.modulo(),
                             " is that much, so nothing matches; lower it"));
    }
    return std::make_shared<HashMatcher>(proto.threshold(), proto.modulo(), proto.seed());
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.value_matchers.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::matching::input_matchers::consistent_hashing
