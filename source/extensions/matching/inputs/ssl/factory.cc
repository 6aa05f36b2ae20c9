#include "source/extensions/matching/inputs/ssl/factory.h"

#include <memory>

#include "envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs.pb.h"
#include "source/config/match_input_factory.h"
#include "source/extensions/matching/inputs/ssl/inputs.h"

namespace sluice::extensions::matching::inputs::ssl {

namespace v3 = envoy::extensions::matching::common_inputs::ssl::v3;

void registerFactory(config::Registry& registry) {
  registry.match_inputs.add(std::make_unique<config::PlainInputFactory<v3::UriSanInput, UriSan>>());
  registry.match_inputs.add(std::make_unique<config::PlainInputFactory<v3::DnsSanInput, DnsSan>>());
  registry.match_inputs.add(std::make_unique<config::PlainInputFactory<v3::SubjectInput, Subject>>());
}

}  // namespace sluice::extensions::matching::inputs::ssl
