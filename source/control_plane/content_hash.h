// Content hashes that name versions: the same bytes give the same text in every process, after every restart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::control_plane {

// SipHash-2-4 with a fixed key. Not a secret and not proof against forgery: versions only have to differ when contents
// do.
uint64_t contentHash(std::string_view bytes);

// Sixteen hexadecimal digits.
std::string versionText(uint64_t hash);

}  // namespace sluice::control_plane
