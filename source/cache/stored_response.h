// An answer that a shared cache keeps, and whether it may. (RFC 9111 sections 3 and 4)
//
// Only what says itself how long it is good, or that it is to be validated, is kept: nothing is guessed. Immutable once
// it is stored; used by all workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/cache/cache_control.h"
#include "source/http/date.h"
#include "source/http/headers.h"

namespace sluice::cache {

using Time = std::chrono::steady_clock::time_point;

// What has to be known of a request and its answer besides their heads.
struct Exchange {
  bool authorized = false;  // the request has `authorization`
  bool no_store = false;    // it asks not to be stored
  Time requested;           // when it went to the upstream
  Time received;            // when the head of the answer came
  http::Date wall_received;
};

struct StoredResponse {
  uint16_t status = 200;
  // Without what is about its way here, its age and its length.
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const std::string> body;  // null until it is whole

  Time received;
  seconds initial_age{0};
  seconds lifetime{0};
  seconds stale_while_revalidate{0}, stale_if_error{0};  // 0 where it must not be served stale
  bool validate_always = false;                          // no-cache
  bool for_authorized = false;                           // may answer requests with `authorization`

  // The first value; empty if there is none.
  std::string_view get(std::string_view lower) const;
  bool hasValidator() const { return !get("etag").empty() || !get("last-modified").empty(); }
  size_t bytes() const;

  seconds ageAt(Time now) const;
  // How long it is good without asking the upstream; negative: it is stale.
  seconds freshFor(Time now) const { return lifetime - ageAt(now); }
  // Whether it answers a request that says this without asking the upstream.
  bool serves(const RequestDirectives& request, Time now) const;
  // Whether it may be served though it is stale by less than `allowed`.
  bool staleWithin(seconds allowed, Time now) const { return !validate_always && -freshFor(now) < allowed; }
};

// The answer as it may be kept, without a body so far; null: it may not. `vary` is somebody else's business.
std::shared_ptr<StoredResponse> storable(const http::ResponseHeaders& headers, const Exchange& exchange);

// Puts the head of `stored` into `out`, with what a 304 says. It borrows the text of both. (RFC 9111 section 4.3.4)
void refresh(const StoredResponse& stored, const http::ResponseHeaders& not_modified, http::ResponseHeaders& out);
// Whether a 304 speaks of another answer than `stored`.
bool isOfAnother(const StoredResponse& stored, const http::ResponseHeaders& not_modified);

}  // namespace sluice::cache
