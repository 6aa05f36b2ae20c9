// A blocking HTTP/1.1 client for one request at a time: what a command-line tool needs to talk to an API on this
// machine or the next. TLS is not spoken.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::ctl {

// Where an API is: "http://HOST:PORT" (port 80 if there is none) or "unix:PATH".
struct Endpoint {
  std::string url;   // as given, for messages
  std::string host;  // empty: a Unix socket
  std::string port;
  std::string path;  // of the Unix socket
};

// InvalidArgument says what a URL looks like.
absl::StatusOr<Endpoint> parseUrl(std::string_view url);

struct Reply {
  int status = 0;
  std::string body;
};

struct Call {
  std::string method = "GET";
  std::string target;  // path and query
  std::string token;   // sent as a bearer token unless empty
  std::string body;
};

// Sends `call` on a connection of its own and waits for the whole answer, at most `limit` for each step. Any failure to
// get an answer is Unavailable and names the URL.
absl::StatusOr<Reply> fetch(const Endpoint& endpoint, const Call& call, std::chrono::seconds limit);

}  // namespace sluice::ctl
