// What a folder has, as HTML. Thread: any; it waits for the disk.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "source/net/socket.h"

namespace sluice::extensions::http_filters::file_server {

// More names than that are not listed.
inline constexpr size_t kMostListed = 5000;

// Sorted, without names that begin with a dot; links lead below `path`, the encoded path of the request, which ends in
// a slash. nullopt: there are too many, or it cannot be read.
std::optional<std::string> listFolder(net::Fd folder, std::string_view path);

}  // namespace sluice::extensions::http_filters::file_server
