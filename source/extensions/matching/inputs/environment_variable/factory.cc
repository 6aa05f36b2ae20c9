#include "source/extensions/matching/inputs/environment_variable/factory.h"

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "envoy/extensions/matching/common_inputs/environment_variable/v3/input.pb.h"
#include "source/config/match_input_factory.h"
#include "source/extensions/matching/inputs/environment_variable/input.h"

namespace sluice::extensions::matching::inputs::environment_variable {
namespace {

using Proto = envoy::extensions::matching::common_inputs::environment_variable::v3::Config;

class Factory : public config::MatchInputConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::Input> compile(const google::protobuf::Message& message,
                                              config::FactoryContext) const override {
    const char* const value = std::getenv(static_cast<const Proto&>(message).name().c_str());
    return std::make_shared<Variable>(value == nullptr ? std::nullopt : std::optional<std::string>(value));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.match_inputs.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::matching::inputs::environment_variable
