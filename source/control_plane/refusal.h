// Which resources a NACK is about. The protocol has only a text for that.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "source/control_plane/resource.h"

namespace sluice::control_plane {

// Those of the response's names (name -> version) that `text` names; all of them if it names none, or may have been
// cut before it named the rest. A name counts as a whole only: a text about `https` says nothing about `http`.
std::set<std::string> refusedNames(ResourceType type, const std::map<std::string, std::string>& versions,
                                   std::string_view text);

}  // namespace sluice::control_plane
