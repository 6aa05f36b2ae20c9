#include "source/extensions/filters/network/redis_proxy/routes.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "source/base/ascii.h"
#include "source/base/text.h"

namespace sluice::extensions::network_filters::redis_proxy {

bool Routes::add(Route route) {
  std::string prefix = ignore_case_ ? base::lowered(route.prefix) : route.prefix;
  const size_t length = prefix.size();
  if (!by_prefix_.emplace(std::move(prefix), std::move(route)).second) return false;
  const auto at = std::lower_bound(lengths_.begin(), lengths_.end(), length, std::greater<>());
  if (at == lengths_.end() || *at != length) lengths_.insert(at, length);
  return true;
}

const Route* Routes::find(std::string_view key) const {
  if (!lengths_.empty()) {
    std::string lower;
    if (ignore_case_) {
      lower = base::lowered(key.substr(0, lengths_.front()));
      key = lower;
    }
    for (const size_t length : lengths_) {
      if (length > key.size()) continue;
      const auto found = by_prefix_.find(base::toAbsl(key.substr(0, length)));
      if (found != by_prefix_.end()) return &found->second;
    }
  }
  return catch_all_ ? &*catch_all_ : nullptr;
}

}  // namespace sluice::extensions::network_filters::redis_proxy
