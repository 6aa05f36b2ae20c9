#include "source/extensions/filters/network/redis_proxy/redirection.h"

#include "absl/strings/numbers.h"
#include "source/base/text.h"
#include "source/redis/resp.h"

namespace sluice::extensions::network_filters::redis_proxy {

std::optional<Redirection> redirectionOf(std::string_view frame) {
  if (redis::typeOf(frame) != redis::Type::kError) return std::nullopt;
  std::string_view line = redis::lineOf(frame);
  Redirection out;
  out.asking = line.starts_with("ASK ");
  if (!out.asking && !line.starts_with("MOVED ")) return std::nullopt;
  line.remove_prefix(line.find(' ') + 1);
  const size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view target = line.substr(blank + 1);
  const size_t colon = target.rfind(':');
  uint32_t port = 0;
  if (colon == std::string_view::npos || !absl::SimpleAtoi(base::toAbsl(target.substr(colon + 1)), &port))
    return std::nullopt;
  if (port == 0 || port > 65535) return std::nullopt;
  const auto address = net::Address::fromIp(target.substr(0, colon), static_cast<uint16_t>(port));
  if (!address) return std::nullopt;
  out.host = *address;
  return out;
}

}  // namespace sluice::extensions::network_filters::redis_proxy
