#include "source/extensions/retry/priority/previous_priorities/factory.h"

#include <memory>

#include "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.pb.h"
#include "source/config/retry_predicate_factory.h"
#include "source/extensions/retry/priority/previous_priorities/priority.h"

namespace sluice::extensions::retry::priority::previous_priorities {
namespace {

using Proto = ::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;

class Factory : public config::RetryPriorityConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }

  std::shared_ptr<const route::RetryPriority> compile(const google::protobuf::Message& message,
                                                      config::FactoryContext) const override {
    return std::make_shared<Priority>(static_cast<size_t>(static_cast<const Proto&>(message).update_frequency()));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.retry_priorities.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::retry::priority::previous_priorities
