#include "source/extensions/matching/inputs/cel/factory.h"

#include <memory>

#include "source/config/match_input_factory.h"
#include "source/extensions/matching/inputs/cel/input.h"
#include "xds/type/matcher/v3/http_inputs.pb.h"

namespace sluice::extensions::matching::inputs::cel {

void registerFactory(config::Registry& registry) {
  registry.match_inputs.add(
      std::make_unique<
          config::PlainInputFactory<xds::type::matcher::v3::HttpAttributesCelMatchInput, AttributesInput>>());
}

}  // namespace sluice::extensions::matching::inputs::cel
