// What the head of a request says of where it comes from: x-forwarded-*, x-envoy-*, the certificate of the client. What
// a stranger says of that goes no further. Part of the request policy.
#pragma once

#include <optional>
#include <string_view>

#include "source/filter/result.h"
#include "source/http/headers.h"
#include "source/session/http_settings.h"
#include "source/session/request_policy.h"
#include "source/stream/stream_info.h"

namespace sluice::session {

struct Forwarding {
  std::optional<filter::Reply> refusal;
  // A stranger's request, and nobody of ours has seen it before.
  bool edge = false;
};

// Fills the client's address in `info`.
Forwarding applyForwarding(const HttpSettings& settings, const PeerText& peer, http::RequestHeaders& headers,
                           stream::StreamInfo& info);

// "http" or "https": what the client speaks, as far as its connection tells.
std::string_view clientScheme(const HttpSettings& settings, const PeerText& peer);

}  // namespace sluice::session
