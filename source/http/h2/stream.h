// One HTTP/2 stream as the codecs see it. Recycled; belongs to its Endpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/http/codec.h"

namespace sluice::http::h2 {

struct Stream {
  enum class In : uint8_t { kHead, kBody, kTrailers, kEnded };

  // Bytes that were given and did not go out.
  size_t unsent() const { return pending.size() - sent + direct.size(); }
  bool hasOutput() const { return unsent() > 0 || end_given; }

  StreamId id = 0;
  // What came.
  In in = In::kHead;
  bool has_length = false;
  uint64_t length_left = 0;
  // Who knows it.
  bool announced = false;    // the owner heard of it
  bool dead = false;         // the owner neither hears of it nor sends on it any more
  bool lingering = false;    // dead, because it was answered before its request had ended
  bool closed = false;       // nghttp2 forgot it; recycled at the end of the call
  bool unopened = false;     // a request whose HEADERS nghttp2 still has
  bool peer_reset = false;   // RST_STREAM came
  bool owner_reset = false;  // our RST_STREAM was the owner's wish, or no fault of the peer's
  // What goes out.
  bool head_sent = false;
  bool attached = false;   // nghttp2 has a DATA item of it
  bool end_given = false;  // the owner ended it; END_STREAM follows what is unsent
  bool end_sent = false;   // END_STREAM went out
  bool swallow = false;    // no body goes out
  bool has_trailers = false;
  bool progressed = false;  // is in Endpoint::progressed_
  // The kind of exchange.
  bool head_request = false;
  bool upgrade = false;
  bool connect = false;
  bool tunnel = false;                                        // was accepted: each side ends for itself
  std::string pending;                                        // held back by windows, or until receive() is over
  size_t sent = 0;                                            // of `pending`
  std::string_view direct;                                    // of the sendData() that runs
  std::vector<std::pair<std::string, std::string>> trailers;  // wait for the body

  void recycle() {
    std::string waiting = std::move(pending);
    auto fields = std::move(trailers);
    *this = Stream();
    if (waiting.capacity() <= kKeptBytes) {
      waiting.clear();
      pending = std::move(waiting);
    }
    fields.clear();
    trailers = std::move(fields);
  }

 private:
  static constexpr size_t kKeptBytes = 1024;
};

}  // namespace sluice::http::h2
