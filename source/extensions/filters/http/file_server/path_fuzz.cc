// Bytes -> a path behind a prefix: what is read of it never climbs, and is the decoded path.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "source/base/percent.h"
#include "source/extensions/filters/http/file_server/filter.h"
#include "source/extensions/filters/http/file_server/tree.h"

namespace {

using namespace sluice::extensions::http_filters::file_server;

void require(bool holds) {
  if (!holds) std::abort();
}

void checkSegments(std::string_view path) {
  for (bool more = !path.empty(); more;) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    require(!segment.empty() && segment != "." && segment != ".." && segment.find('\0') == std::string_view::npos);
    more = slash != std::string_view::npos;
    if (more) path.remove_prefix(slash + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  RelativePath path;
  if (readRelativePath(raw, path)) {
    checkSegments(path.path);
    require(path.path + (path.slash ? "/" : "") == sluice::base::percentDecoded(raw));
  }
  for (const char* prefix : {"/", "/a", "/a/", "/a/b"}) {
    const auto rest = Mapping{prefix, "x"}.rest(raw);
    if (rest) require(rest->empty() || rest->front() == '/');
    if (rest) require(sluice::base::percentDecoded(raw).substr(0, std::string_view(prefix).size()) == prefix);
  }
  return 0;
}
