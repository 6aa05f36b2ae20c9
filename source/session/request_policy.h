// What is done to a request head before it is routed, so that the router, the filters, the log and the upstream all see
// one canonical form: path, host, and the headers that only a trusted peer may set.
//
// Pure functions over messages. New text lives in the arena of the headers.
#pragma once

#include <optional>
#include <string_view>

#include "source/base/arena.h"
#include "source/base/random.h"
#include "source/filter/result.h"
#include "source/http/headers.h"
#include "source/session/http_settings.h"
#include "source/stream/stream_info.h"

namespace sluice::session {

// Where the connection comes from. Texts live as long as the connection.
struct PeerText {
  std::string_view remote;     // "1.2.3.4:5678"
  std::string_view remote_ip;  // "1.2.3.4"
  std::string_view local;
  uint16_t local_port;
  std::string_view direct_remote = {};  // the socket's peer, which need not be the client
  net::Transport* transport = nullptr;  // null: plain
  bool redirected = false;              // `local` is where the client wanted to go, not where it was accepted
  bool trusted_tls = false;             // the connection is TLS: the scheme is https
  // The peer has an internal address: of HttpSettings::internal_addresses, or without them of net::Address::isInternal.
  bool near = false;
  uint8_t internal_hops = 0;  // internal listeners that the connection came through
};

// Applies the policy; fills the addresses and the request id in `info`. A reply refuses the request.
std::optional<filter::Reply> applyRequestPolicy(const HttpSettings& settings, const PeerText& peer,
                                                base::Random& random, http::RequestHeaders& headers,
                                                stream::StreamInfo& info);

// The part of it that has to do with where the request goes: path and authority.
std::optional<filter::Reply> applyTargetPolicy(const HttpSettings& settings, const PeerText& peer,
                                               http::RequestHeaders& headers);

// Who is told the mark of an answer that shall not be retried (x-sluice-retry-refused): a hop of ours. At an edge
// (use_remote_address) nobody is; else whose connection comes from an internal address, on whoever's behalf.
bool isInternalHop(const HttpSettings& settings, const PeerText& peer);

// RFC 3986 section 5.2.4 over the path (not the query): dot segments are removed, "%2e" counts as ".", "\" as "/", and
// percent-encoded unreserved characters are decoded. nullopt if the path climbs above its root.
// Dot segments with parameters ("..;x") are dot segments, a NUL is refused. With `merge_slashes` runs of "/" become
// one, segments of parameters only ("/;x/") counting as nothing.
std::optional<std::string_view> normalizePath(base::Arena& arena, std::string_view path_and_query, bool merge_slashes);

// Runs of "/" in the path become one.
std::string_view mergeSlashes(base::Arena& arena, std::string_view path_and_query);

// A random version 4 UUID (RFC 9562 section 5.4), 36 characters.
std::string_view makeRequestId(base::Arena& arena, base::Random& random);

}  // namespace sluice::session
