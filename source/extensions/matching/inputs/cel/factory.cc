#include "source/extensions/matching/inputs/cel/factory.h"

#include <memory>

#include "source/config/match_input_factory.h"
#include "source/extensions/matching/inputs/cel/input.h"
#include "xds/type/matcher/v3/http_inputs.pb.h"

namespace sluice::extensions::matching::inputs::cel {
namespace {

using Proto = xds::type::matcher::v3::HttpAttributesCelMatchInput;

class Factory : public config::MatchInputConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::Input> compile(const google::protobuf::Message&, config::FactoryContext) const override {
    return std::make_shared<AttributesInput>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.match_inputs.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::matching::inputs::cel
