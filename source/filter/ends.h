// The two ends of a chain: the client's side, and what takes requests and gives responses.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

#include "source/filter/local_reply.h"
#include "source/http/headers.h"
#include "source/route/internal_redirect.h"

namespace sluice::filter {

// A redirect by a host, whose head is the stream's response, that the route wants followed here.
struct Redirect {
  const route::InternalRedirectPolicy& policy;  // of the stream's route
  bool headers_only;                            // the head of the request was all of it
  std::string_view body;                        // of the request, whole; its trailers are the stream's
};

// The client's side of a stream.
class Downstream {
 public:
  virtual ~Downstream() = default;
  // A 1xx, never 101. Filters do not see it.
  virtual void sendInformational(const http::ResponseHeaders& headers) = 0;
  virtual void sendResponseHeaders(http::ResponseHeaders& headers, bool end_stream) = 0;
  virtual void sendResponseData(std::string_view data, bool end_stream) = 0;
  virtual void sendResponseTrailers(http::Trailers& trailers) = 0;
  // The stream cannot be ended properly. `details` is static text.
  virtual void resetStream(std::string_view details) = 0;
  // Response bytes accepted and not yet taken by the kernel.
  virtual size_t unsentResponseBytes() const = 0;
  // The terminal's one deadline for this stream; arming again moves it.
  virtual void armDeadline(std::chrono::milliseconds delay) = 0;
  // Request credit may have grown from 0.
  virtual void requestCreditGrew() = 0;
  // The terminal has no more to do with a tunnel: the stream is over with the end of its response.
  virtual void tunnelEnded() = 0;
  // Begins the request again at the location, through all filters, if that can be. Then the terminal was cancelled and
  // its stream is over. False: the redirect is for the client.
  virtual bool redirect(const Redirect&) { return false; }
  // What changes the answers that are made here; null: nothing.
  virtual const ReplyMapper* replyMapper() const { return nullptr; }
};

// The end of the chain: takes the request, gives the response. One per stream, made by its configuration (terminal.h).
class Terminal {
 public:
  virtual ~Terminal() = default;
  virtual void requestHeaders(bool end_stream) = 0;
  virtual void requestData(std::string_view data, bool end_stream) = 0;
  virtual void requestTrailers() = 0;
  // Request bytes accepted and not yet taken by the kernel.
  virtual size_t unsentRequestBytes() const = 0;
  // Response credit may have grown from 0.
  virtual void responseCreditGrew() = 0;
  // The deadline that was armed with Downstream::armDeadline is over.
  virtual void deadlineExpired() = 0;
  // The stream is over (ended by the client, a filter or the session). No call into the runner after this.
  virtual void cancel() = 0;
};

}  // namespace sluice::filter
