// Files below a folder, and nothing else of the machine: not by "..", not by links that lead out, no devices.
// Thread: any; what is asked here may wait for a disk.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "source/net/socket.h"

namespace sluice::extensions::http_filters::file_server {

struct Opened {
  net::Fd fd;
  struct stat info = {};
  int error = 0;  // errno; 0: it is open

  bool isFile() const { return error == 0 && S_ISREG(info.st_mode); }
  bool isFolder() const { return error == 0 && S_ISDIR(info.st_mode); }
};

// How links below the root are met.
enum class Links : uint8_t {
  kInside,  // followed as long as they stay below it
  kNone,    // not followed
};

// Opens for reading what `path` (relative, without "." and ".."; empty: the root itself) names below `root`, a folder
// of the configuration. Never waits for the other end of a pipe. Where the kernel cannot hold links inside (before
// Linux 5.6), they are not followed.
Opened openBelow(const std::string& root, const std::string& path, Links links = Links::kInside);

// A path of a request below a prefix, as openBelow wants it: percent-decoded, and whether it ends in a slash.
struct RelativePath {
  std::string path;
  bool slash = false;
};
// False: a segment is empty, "." or "..", or an escape stands for "/" or NUL. `raw` begins behind the prefix and its
// slash.
bool readRelativePath(std::string_view raw, RelativePath& out);

}  // namespace sluice::extensions::http_filters::file_server
