// The calls of ServerCodec and ClientCodec that an endpoint serves the same on both sides.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "source/http/codec.h"
#include "source/http/h2/endpoint.h"

namespace sluice::http::h2 {

// `Codec` is the interface of one side.
template <typename Codec>
class EndpointCodec : public Codec, protected Endpoint {
 public:
  using Endpoint::start;

  void tellTime(TimePoint now) final { timeIs(now); }
  std::optional<ProtocolError> receive(std::string_view bytes) final { return feed(bytes); }
  void sendData(StreamId stream, std::string_view data, bool end_stream) final { sendBody(stream, data, end_stream); }
  void sendTrailers(StreamId stream, const Trailers& trailers) final { sendTrailerList(stream, trailers); }

  bool multiplexed() const final { return true; }
  size_t unsentBytes(StreamId stream) const final { return unsent(stream); }
  void consumed(StreamId stream, size_t bytes) final { consumeStream(stream, bytes); }
  void ping() final { sendKeepalivePing(); }
  bool awaitingPing() const final { return awaiting_ping_; }

 protected:
  using Endpoint::Endpoint;

  // The owner gives the stream up.
  void resetByOwner(StreamId id, uint32_t code) {
    Stream* stream = find(id);
    if (stream == nullptr) return;
    stream->owner_reset = true;
    resetStream(*stream, code);
    flush();
  }
};

}  // namespace sluice::http::h2
