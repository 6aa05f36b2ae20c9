#include "source/extensions/filters/http/original_src/filter.h"

#include <memory>

#include "source/filter/context.h"
#include "source/net/address.h"
#include "source/net/socket.h"

namespace sluice::extensions::http_filters::original_src {

filter::HookResult Filter::onRequestHeaders(http::RequestHeaders&, filter::Context& context) {
  stream::StreamInfo& info = context.info();
  const absl::StatusOr<net::Address> client = net::Address::parse(info.downstream_remote_address);
  if (client.ok() && client->isIp()) {
    info.upstream_source =
        std::make_unique<net::BorrowedSource>(net::BorrowedSource{client->withPort(0), settings_.mark});
  }
  return filter::Next{};
}

}  // namespace sluice::extensions::http_filters::original_src
