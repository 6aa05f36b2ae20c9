// What a place of HTTP has to look at: Data with the addresses that it points to, read out of a stream.
//
//   const match::Exchange exchange(request, &info, tree.needs);            // for a request
//   match::Exchange exchange(request, &info, tree.needs);                  // for a response
//   exchange.setResponse(head);
//   const match::Result result = tree.evaluate(exchange.data());
//
// On the stack, for one evaluation; all that it is given is borrowed. Thread: the worker of the stream.
#pragma once

#include <cstdint>

#include "source/http/headers.h"
#include "source/match/input.h"
#include "source/net/address.h"
#include "source/stream/stream_info.h"

namespace sluice::match {

class Exchange {
 public:
  // `info`: null where nothing but the head is known; what filters left and addresses are absent then. `needs`: bits of
  // Part; addresses are read only for kAddresses and kPeer, as that is as much work as a small tree.
  Exchange(const http::RequestHeaders& request, const stream::StreamInfo* info, uint8_t needs);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Where it is called the place has kResponseParts. Needs `info`, which says whether a host gave the answer.
  void setResponse(const http::ResponseHeaders& head);
  // Beside setResponse(), where the place has kResponseTrailers too.
  void setResponseTrailers(const http::Trailers& trailers) { data_.response_trailers = &trailers; }

  const Data& data() const { return data_; }

 private:
  net::Address remote_, local_, direct_remote_;
  Data data_;
};

}  // namespace sluice::match
