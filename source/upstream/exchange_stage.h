// What stands between an attempt and its exchange, where its cluster wants requests and responses changed on the way:
// the attempt sends to it instead of to the exchange, and hears of it instead of of the host. Thread: the worker's.
#pragma once

#include <cstddef>
#include <string_view>

#include "source/upstream/pool/exchange.h"

namespace sluice::upstream {

// One of an attempt, which outlives no stage of its own. All that is said of pool::Exchange and its events holds here
// too, with one more thing: where both sides of a tunnel have ended, and the last of the request comes out only now,
// onResponseData is told the end once more.
class ExchangeStage {
 public:
  virtual ~ExchangeStage() = default;

  // Begins anew, whatever went before: the exchange to ask a pool with. What comes of it is for `events`.
  virtual pool::Exchange& begin(pool::ExchangeEvents& events) = 0;
  // That exchange: facts of its connection.
  virtual const pool::Exchange& exchange() const = 0;

  // What `head` refers to lives as long as the stage.
  virtual void sendHeaders(const http::RequestHeaders& head, bool end_stream) = 0;
  virtual void sendData(std::string_view data, bool end_stream) = 0;
  virtual void sendTrailers(const http::Trailers& trailers) = 0;
  // There was a connection, and the end of the response is still to come.
  virtual bool open() const = 0;
  // Bytes of the request that wait here or in the exchange, as far as no more of them may come.
  virtual size_t unsentBytes() const = 0;
  virtual void resumeReading() = 0;
  virtual void abandon() = 0;
  // Whether what becomes of the exchange is the host's doing: not while the request has not gone on to it, nor where
  // the response was made here.
  virtual bool ofHost() const = 0;
};

}  // namespace sluice::upstream
