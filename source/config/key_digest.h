// Digests that stand in configurations instead of what they are of.
#pragma once

#include <optional>
#include <string_view>

#include "source/filter/credentials/key_table.h"

namespace sluice::config {

// A SHA-256 in 64 hexadecimal digits, with colons between bytes or without. nullopt: it is not written so; who reports
// that does not quote it, as it may be the key itself.
std::optional<filter::KeyDigest> readDigest(std::string_view text);

}  // namespace sluice::config
