// Serves HttpApi over HTTP/1.1: one request at a time on each connection, bodies bounded.
//
// Thread: the loop's.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "source/control_plane/http_api.h"
#include "source/event/loop.h"
#include "source/net/address.h"

namespace sluice::control_plane {

class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // Listens at once. The loop outlives the server. Errors: the address cannot be bound.
  static absl::StatusOr<std::unique_ptr<HttpServer>> start(const net::Address& address, event::Loop& loop,
                                                           Handler handler);
  virtual ~HttpServer() = default;

  // With the port that was bound.
  virtual const net::Address& boundAddress() const = 0;
};

}  // namespace sluice::control_plane
