#include "source/extensions/matching/inputs/ssl/factory.h"

#include <memory>

#include "envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs.pb.h"
#include "source/config/match_input_factory.h"
#include "source/extensions/matching/inputs/ssl/inputs.h"

namespace sluice::extensions::matching::inputs::ssl {
namespace {

namespace v3 = envoy::extensions::matching::common_inputs::ssl::v3;

template <typename Proto, typename Input>
class Factory : public config::MatchInputConfigFactory {
 public:
  std::string_view configType() const override { return Proto::descriptor()->full_name(); }
  std::shared_ptr<const match::Input> compile(const google::protobuf::Message&, config::FactoryContext) const override {
    return std::make_shared<Input>();
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.match_inputs.add(std::make_unique<Factory<v3::UriSanInput, UriSan>>());
  registry.match_inputs.add(std::make_unique<Factory<v3::DnsSanInput, DnsSan>>());
  registry.match_inputs.add(std::make_unique<Factory<v3::SubjectInput, Subject>>());
}

}  // namespace sluice::extensions::matching::inputs::ssl
