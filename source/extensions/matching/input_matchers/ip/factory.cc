#include "source/extensions/matching/input_matchers/ip/factory.h"

#include <memory>

#include "envoy/extensions/matching/input_matchers/ip/v3/ip.pb.h"
#include "source/config/value_matcher_factory.h"
#include "source/config/values.h"
#include "source/extensions/matching/input_matchers/ip/ip.h"

namespace sluice::extensions::matching::input_matchers::ip {
namespace {

using Proto = envoy::extensions::matching::input_matchers::ip::v3::Ip;

class Factory : public config::ValueMatcherConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::ValueMatcher> compile(const google::protobuf::Message& message,
                                                     config::FactoryContext context) const override {
    const auto& proto = static_cast<const Proto&>(message);
    return std::make_shared<IpMatcher>(config::compileCidrs(proto.cidr_ranges(), "cidr_ranges", context.at));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.value_matchers.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::matching::input_matchers::ip
