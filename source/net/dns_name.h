// Host names as text.
#pragma once

#include <string_view>

namespace sluice::net {

// Whether `name` can be asked for in the DNS: RFC 1035 lengths (63 for a label, 253 in all), no empty label; letters,
// digits, '-' and '_' only. A dot at the end is allowed.
bool isDnsName(std::string_view name);

}  // namespace sluice::net
