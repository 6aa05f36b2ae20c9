#include "source/config/validate.h"
#include "source/control_plane/intent_file.h"

namespace sluice::control_plane {

void validateResource(const google::protobuf::Message& resource, const config::Context& context) {
  config::validate(resource, context);
}

}  // namespace sluice::control_plane
