// What a route does to the messages that pass: header mutations, path and host rewrites, the location of redirects.
//
// Thread: the worker of the stream. New text lives in the arena of the header list.
#pragma once

#include <array>
#include <string_view>

#include "source/http/headers.h"
#include "source/route/table.h"

namespace sluice::route {

// Takes headers that only internal callers may send off the requests of others
// (proto: RouteConfiguration.internal_only_headers).
void removeInternalOnly(const Table& table, http::RequestHeaders& request);

// Mutations of all levels in the order of their application: the cluster's, the route's, the virtual host's and the
// table's, or the other way round (proto: most_specific_header_mutations_wins). Null where a level has none.
std::array<const Mutations*, 4> mutationLevels(const Match& match);

// Whether the route makes the value of a request's field with that name (lower case) by a format.
bool formatsField(const Match& match, std::string_view name);

// The path, without its query, as the matched route rewrites it by its own words: not by a format, which reads more.
std::string_view rewrittenPath(const Match& match, const http::RequestHeaders& request);

struct RequestRewrite {
  // Keeps path and authority that came in as x-envoy-original-path and x-envoy-original-host where they are rewritten
  // (proto: not suppress_envoy_headers).
  bool keep_original = true;
};

// Whether a request may go on as it was rewritten.
struct Rewritten {
  std::string_view refusal;  // why it is to be answered with 400, for %RESPONSE_CODE_DETAILS%; empty: it may

  explicit operator bool() const { return refusal.empty(); }
};

// Prepares a request for the upstream: header mutations of every level, then host, then path, each of which may be made
// of what came before. The matched route forwards.
// Refused are a path that climbs ("/../", also with "%2f" or a backslash) where the one that was matched did not,
// because the rules that let it pass have judged another path, and a host made of the request's words that is none.
[[nodiscard]] Rewritten finalizeRequest(const Match& match, http::RequestHeaders& request,
                                        const stream::FormatContext& context, RequestRewrite options = {});

// Tells hosts of the authority of a request before another one takes its place: in x-forwarded-host if the route says
// so, unless that ends with it, and as RequestRewrite says. To say it again changes nothing.
void keepAuthority(const Forward& route, std::string_view authority, http::RequestHeaders& request,
                   RequestRewrite options);

// Prepares a response for the client: header mutations of every level, then the cookie of a new user. For redirects and
// direct responses too.
void finalizeResponse(const Match& match, http::ResponseHeaders& response, const stream::FormatContext& context);

// False: it leads to another scheme or port, and nobody says of which host (HTTP/1.0). A location without them would
// lead to where the request came from.
bool hasTarget(const Redirect& redirect, const http::RequestHeaders& request);

// The `location` of a redirect route: an absolute URI without bytes that could end the header. The matched route
// redirects.
std::string_view redirectLocation(const Match& match, const http::RequestHeaders& request,
                                  const stream::FormatContext& context);

}  // namespace sluice::route
