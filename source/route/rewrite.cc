#include "source/route/rewrite.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "source/base/host_port.h"
#include "source/http/rules.h"

namespace sluice::route {
namespace {

// Most tables have none at any level: then there is nothing to go through.
bool hasMutations(const Match& match) {
  return (match.choice != nullptr && match.choice->mutations != nullptr) ||
         (match.route != nullptr && match.route->mutations != nullptr) ||
         (match.virtual_host != nullptr && match.virtual_host->mutations != nullptr) ||
         (match.table != nullptr && match.table->mutations() != nullptr);
}

// The path without its query, rewritten; `path` itself if no rewrite is set.
std::string_view rewritePath(std::string_view path, const RouteMatcher& matcher, std::string_view prefix_rewrite,
                             const RegexRewrite* regex_rewrite, base::Arena& arena) {
  std::string_view out = path;
  if (!prefix_rewrite.empty()) {
    // What was matched is replaced: the prefix, or the whole path for exact and regular expression matches.
    const bool by_prefix = matcher.kind == PathKind::kPrefix || matcher.kind == PathKind::kSeparatedPrefix;
    const size_t matched = matcher.ignores_parameters ? sizeWithParameters(path, matcher.path.size())
                                                      : std::min(matcher.path.size(), path.size());
    out = arena.concat(prefix_rewrite, by_prefix ? path.substr(matched) : "");
  } else if (regex_rewrite != nullptr) {
    const bool stripped = regex_rewrite->as_matched && matcher.ignores_parameters;
    std::string text(stripped ? withoutParameters(path, arena) : path);
    re2::RE2::GlobalReplace(&text, *regex_rewrite->pattern, regex_rewrite->substitution);
    out = arena.copy(text);
  } else {
    return path;
  }
  return out.starts_with('/') ? out : arena.concat("/", out);
}

// Percent-encodes what may not stand in a header's URI, controls, space and what is no ASCII, and `others`.
std::string_view uriSafe(std::string_view uri, base::Arena& arena, std::string_view others = {}) {
  const auto unsafe = [others](char c) {
    return static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f ||
           others.find(c) != std::string_view::npos;
  };
  size_t count = 0;
  for (const char c : uri) count += unsafe(c);
  if (count == 0) return uri;
  constexpr std::string_view kHex = "0123456789ABCDEF";
  char* const out = arena.allocate(uri.size() + 2 * count);
  size_t size = 0;
  for (const char c : uri) {
    if (!unsafe(c)) {
      out[size++] = c;
      continue;
    }
    out[size++] = '%';
    out[size++] = kHex[static_cast<unsigned char>(c) >> 4];
    out[size++] = kHex[static_cast<unsigned char>(c) & 15];
  }
  return {out, size};
}

// The path that a format makes, which no value of it ends. Empty: the format says nothing.
std::string_view formattedPath(const ValueFormatter& format, const stream::FormatContext& context, base::Arena& arena) {
  std::string text;
  format.format(context, text);
  if (text.empty()) return {};
  const std::string_view path = uriSafe(arena.copy(text), arena, "?#");
  return path.starts_with('/') ? path : arena.concat("/", path);
}

// What `source` makes the authority; empty: it says nothing. Nullopt: that is no authority.
std::optional<std::string_view> authorityOf(const HostSource& source, const http::RequestHeaders& request,
                                            const stream::FormatContext& context) {
  std::string text;
  if (!source.header.empty()) {
    text = request.lookup(source.header).value_or("");
  } else if (source.of_path) {
    text = request.pathOnly();
    re2::RE2::GlobalReplace(&text, *source.of_path->pattern, source.of_path->substitution);
  } else {
    source.format->format(context, text);
  }
  if (text.empty()) return std::string_view();
  const std::string_view authority(http::copyPadded(request.arena(), text), text.size());
  // The target of CONNECT has a port (RFC 9110 section 9.3.6).
  const bool valid = http::validAuthority(authority) && (!request.path.empty() || http::namesPort(authority));
  return valid ? std::optional(authority) : std::nullopt;
}

// False: the request's words make no authority.
bool rewriteHost(const Match& match, http::RequestHeaders& request, const stream::FormatContext& context,
                 RequestRewrite options) {
  const Forward& forward = *match.route->forward;
  std::string_view host = forward.host_rewrite;
  if (match.choice != nullptr && !match.choice->host_rewrite.empty()) {
    host = match.choice->host_rewrite;
  } else if (forward.host_source != nullptr) {
    const std::optional<std::string_view> made = authorityOf(*forward.host_source, request, context);
    if (!made) return false;
    host = *made;
  }
  if (host.empty() || host == request.authority) return true;
  keepAuthority(forward, request.authority, request, options);
  request.authority = host;
  return true;
}

std::string_view lastElement(std::string_view list) {
  return http::withoutSpaces(list.substr(list.rfind(',') + 1));
}

// The host of the request for a redirect: without its port where a new port is set, or where the scheme changes and
// the port is the old scheme's own.
std::string_view redirectHost(const http::RequestHeaders& request, std::string_view scheme, bool new_port) {
  const base::HostPort parts = base::splitHostPort(request.authority);
  if (!parts.has_port) return request.authority;
  const bool scheme_changes = scheme != request.scheme;
  const bool default_port =
      (request.scheme == "https" && parts.port == "443") || (request.scheme == "http" && parts.port == "80");
  return new_port || (scheme_changes && default_port) ? parts.host : request.authority;
}

std::string_view redirectPath(const Match& match, const http::RequestHeaders& request,
                              const stream::FormatContext& context, base::Arena& arena) {
  const Redirect& redirect = *match.route->redirect;
  const RequestView view = RequestView::of(request);
  // With the question mark; also a lone one stays.
  const std::string_view query = redirect.strip_query ? "" : request.path.substr(view.path.size());
  if (!redirect.path.empty()) {
    const bool own_query = redirect.path.find('?') != std::string_view::npos;
    return http::withOneSlash(arena, own_query ? redirect.path : arena.concat(redirect.path, query));
  }
  std::string_view path;
  if (redirect.path_format != nullptr) path = formattedPath(*redirect.path_format, context, arena);
  if (path.empty()) {
    path = rewritePath(view.path, match.route->matcher, redirect.prefix_rewrite, redirect.regex_rewrite, arena);
  }
  return http::withOneSlash(arena, arena.concat(path, query));
}

}  // namespace

std::array<const Mutations*, 4> mutationLevels(const Match& match) {
  std::array<const Mutations*, 4> levels{};
  if (match.choice != nullptr) levels[0] = match.choice->mutations;
  if (match.route != nullptr) levels[1] = match.route->mutations;
  if (match.virtual_host != nullptr) levels[2] = match.virtual_host->mutations;
  if (match.table != nullptr) levels[3] = match.table->mutations();
  // The last one applied has the last word.
  if (match.table != nullptr && match.table->mostSpecificMutationsWin()) std::reverse(levels.begin(), levels.end());
  return levels;
}

void removeInternalOnly(const Table& table, http::RequestHeaders& request) {
  const std::span<const std::string> names = table.internalOnlyHeaders();
  if (names.empty() || request.get(http::Name::kXEnvoyInternal) == "true") return;
  for (const std::string& name : names) request.remove(std::string_view(name));
}

void keepAuthority(const Forward& route, std::string_view authority, http::RequestHeaders& request,
                   RequestRewrite options) {
  if (authority.empty()) return;
  if (route.append_x_forwarded_host && lastElement(request.getAll("x-forwarded-host").value_or("")) != authority) {
    request.append("x-forwarded-host", authority);
  }
  if (options.keep_original) request.set("x-envoy-original-host", authority);
}

bool formatsField(const Match& match, std::string_view name) {
  if (!hasMutations(match)) return false;
  for (const Mutations* level : mutationLevels(match)) {
    if (level == nullptr) continue;
    for (const HeaderAddition& each : level->request.add) {
      if (each.formatter != nullptr && each.name == name) return true;
    }
  }
  return false;
}

std::string_view rewrittenPath(const Match& match, const http::RequestHeaders& request) {
  const Forward& forward = *match.route->forward;
  return rewritePath(request.pathOnly(), match.route->matcher, forward.prefix_rewrite, forward.regex_rewrite,
                     request.arena());
}

Rewritten finalizeRequest(const Match& match, http::RequestHeaders& request, const stream::FormatContext& context,
                          RequestRewrite options) {
  if (hasMutations(match)) {
    for (const Mutations* level : mutationLevels(match)) {
      if (level != nullptr) level->request.apply(request, context);
    }
  }
  if (!rewriteHost(match, request, context, options)) return {"host_rewrite_invalid"};
  if (request.path.empty()) return {};  // CONNECT has none
  const Forward& forward = *match.route->forward;
  const std::string_view before = request.pathOnly();
  std::string_view after;
  if (forward.path_format != nullptr) after = formattedPath(*forward.path_format, context, request.arena());
  if (after.empty()) after = rewrittenPath(match, request);
  if (after.data() == before.data() && after.size() == before.size()) return {};  // it was not rewritten
  if (after == before) return {};
  // Nothing of a path that is made anew was judged.
  if (http::hasDotSegment(after) && (forward.path_format != nullptr || !http::hasDotSegment(before)))
    return {"path_rewrite_climbs"};
  if (options.keep_original) request.set(http::Name::kXEnvoyOriginalPath, request.path);
  request.path = request.arena().concat(after, request.path.substr(before.size()));
  return {};
}

void finalizeResponse(const Match& match, http::ResponseHeaders& response, const stream::FormatContext& context) {
  if (hasMutations(match)) {
    for (const Mutations* level : mutationLevels(match)) {
      if (level != nullptr) level->response.apply(response, context);
    }
  }
  if (match.own != nullptr && !match.own->set_cookie.empty()) {
    response.add(http::Name::kSetCookie, match.own->set_cookie);
  }
}

bool hasTarget(const Redirect& redirect, const http::RequestHeaders& request) {
  if (!redirect.host.empty() || !request.authority.empty()) return true;
  return redirect.port == 0 && (redirect.scheme.empty() || redirect.scheme == request.scheme);
}

std::string_view redirectLocation(const Match& match, const http::RequestHeaders& request,
                                  const stream::FormatContext& context) {
  const Redirect& redirect = *match.route->redirect;
  base::Arena& arena = request.arena();
  const std::string_view scheme = redirect.scheme.empty() ? request.scheme : redirect.scheme;
  const std::string_view host =
      redirect.host.empty() ? redirectHost(request, scheme, redirect.port != 0) : redirect.host;
  const std::string_view path = redirectPath(match, request, context, arena);
  // HTTP/1.0 without a host: "http:///a/b" would name the host "a" to browsers.
  if (host.empty()) return uriSafe(path, arena);
  std::array<char, 8> digits{':'};
  const char* end = digits.data();
  if (redirect.port != 0) end = std::to_chars(digits.data() + 1, digits.data() + digits.size(), redirect.port).ptr;
  const std::string_view port(digits.data(), static_cast<size_t>(end - digits.data()));
  return uriSafe(arena.concat(scheme, "://", host, port, path), arena);
}

}  // namespace sluice::route
