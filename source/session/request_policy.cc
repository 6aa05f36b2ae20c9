#include "source/session/request_policy.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "source/base/host_port.h"
#include "source/base/percent.h"
#include "source/base/text.h"
#include "source/http/rules.h"
#include "source/session/forwarding.h"
#include "source/session/name_policy.h"
#include "source/stream/format_context.h"
#include "source/stream/internal_hops.h"

namespace sluice::session {
namespace {

using filter::Reply;
using http::Name;

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Whether normalizePath would leave the path as it is: the common case, found without writing.
bool isNormal(std::string_view path, bool merge_slashes) {
  if (path.empty() || path[0] != '/') return false;
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '%' || c == '\\') return false;
    if (c != '/' || i + 1 >= path.size()) continue;
    if (path[i + 1] == '.' || (merge_slashes && (path[i + 1] == '/' || path[i + 1] == ';'))) return false;
  }
  return true;
}

// %2F, %5C in either case.
size_t findEscapedSlash(std::string_view path) {
  for (size_t at = path.find('%'); at != std::string_view::npos && at + 2 < path.size(); at = path.find('%', at + 1)) {
    const char low = path[at + 2] | 0x20;
    if ((path[at + 1] == '2' && low == 'f') || (path[at + 1] == '5' && low == 'c')) return at;
  }
  return std::string_view::npos;
}

std::string_view unescapeSlashes(base::Arena& arena, std::string_view path) {
  char* out = arena.allocate(path.size());
  size_t size = 0;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && findEscapedSlash(path.substr(i, 3)) == 0) {
      out[size++] = path[i + 1] == '2' ? '/' : '\\';
      i += 2;
    } else {
      out[size++] = path[i];
    }
  }
  return {out, size};
}

// "a.com." and "a.com.:80" without the dot.
std::string_view withoutDot(base::Arena& arena, std::string_view authority) {
  const base::HostPort parts = base::splitHostPort(authority);
  if (!parts.host.ends_with('.')) return authority;
  const std::string_view host = parts.host.substr(0, parts.host.size() - 1);
  if (host.empty()) return authority;
  return arena.concat(host, authority.substr(parts.host.size()));
}

std::string_view withoutPort(std::string_view authority, bool any_port, uint16_t local_port) {
  const base::HostPort parts = base::splitHostPort(authority);
  uint32_t port;
  if (!absl::SimpleAtoi(base::toAbsl(parts.port), &port)) return authority;
  return any_port || port == local_port ? parts.host : authority;
}

}  // namespace

bool isInternalHop(const HttpSettings& settings, const PeerText& peer) {
  return peer.near && !settings.use_remote_address;
}

std::string_view makeRequestId(base::Arena& arena, base::Random& random) {
  static constexpr char kHex[] = "0123456789abcdef";
  uint64_t bits[2] = {random.next(), random.next()};
  bits[0] = (bits[0] & ~uint64_t{0xF000}) | 0x4000;
  bits[1] = (bits[1] & ~(uint64_t{3} << 62)) | (uint64_t{1} << 63);
  char* out = arena.allocate(36);
  char* at = out;
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) *at++ = '-';
    *at++ = kHex[bits[i / 16] >> (60 - i % 16 * 4) & 15];
  }
  return {out, 36};
}

std::string_view mergeSlashes(base::Arena& arena, std::string_view path_and_query) {
  const std::string_view path = path_and_query.substr(0, path_and_query.find('?'));
  if (path.find("//") == std::string_view::npos) return path_and_query;
  char* out = arena.allocate(path_and_query.size());
  size_t size = 0;
  for (size_t i = 0; i < path_and_query.size(); ++i) {
    if (i > 0 && i < path.size() && path[i] == '/' && path[i - 1] == '/') continue;
    out[size++] = path_and_query[i];
  }
  return {out, size};
}

std::optional<std::string_view> normalizePath(base::Arena& arena, std::string_view path_and_query, bool merge_slashes) {
  const size_t question = path_and_query.find('?');
  const std::string_view path = path_and_query.substr(0, question);
  if (isNormal(path, merge_slashes)) return path_and_query;
  const std::string_view query = question == std::string_view::npos ? "" : path_and_query.substr(question);
  if (path.empty() || path[0] != '/') return path_and_query;  // "*"

  // First the characters, then the segments; the result is never longer.
  char* out = arena.allocate(path_and_query.size());
  size_t size = 0;
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      const int high = i + 2 < path.size() ? base::hexValue(path[i + 1]) : -1;
      const int low = i + 2 < path.size() ? base::hexValue(path[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      const char decoded = static_cast<char>(high * 16 + low);
      if (decoded == 0) return std::nullopt;  // ends the path for who keeps text with a NUL behind it
      if (unreserved(decoded)) {
        out[size++] = decoded;
      } else {
        out[size++] = '%';
        out[size++] = path[i + 1];
        out[size++] = path[i + 2];
      }
      i += 2;
      continue;
    }
    if (c == '\\') c = '/';
    out[size++] = c;
  }
  size_t write = 0;
  for (size_t read = 0; read < size;) {  // out[read] is '/'
    size_t end = read + 1;
    while (end < size && out[end] != '/') ++end;
    std::string_view segment(out + read + 1, end - read - 1);
    // "..;x=1" climbs at servers that take parameters off first, and ";x=1" is an empty segment there.
    if (const std::string_view name = http::withoutParameters(segment); name.empty() || name[0] == '.') segment = name;
    const bool last = end == size;
    if (segment == "." || segment == "..") {
      if (segment.size() == 2) {
        if (write == 0) return std::nullopt;
        while (out[--write] != '/') {
        }
      }
      if (last) out[write++] = '/';
    } else if (!(merge_slashes && segment.empty() && !last)) {
      std::memmove(out + write, out + read, end - read);
      write += end - read;
    }
    read = end;
  }
  if (write == 0) out[write++] = '/';
  if (merge_slashes) {  // "/a//" keeps one trailing slash
    while (write > 1 && out[write - 1] == '/' && out[write - 2] == '/') --write;
  }
  std::memcpy(out + write, query.data(), query.size());
  return std::string_view(out, write + query.size());
}

std::optional<Reply> applyTargetPolicy(const HttpSettings& settings, const PeerText& peer,
                                       http::RequestHeaders& headers) {
  base::Arena& arena = headers.arena();
  if (settings.escaped_slashes != EscapedSlashes::kKeep &&
      findEscapedSlash(headers.pathOnly()) != std::string_view::npos) {
    if (settings.escaped_slashes == EscapedSlashes::kReject) return Reply{400, "", "path_with_escaped_slashes"};
    const std::string_view query = headers.path.substr(headers.pathOnly().size());
    headers.path = arena.concat(unescapeSlashes(arena, headers.pathOnly()), query);
    if (settings.escaped_slashes == EscapedSlashes::kUnescapeAndRedirect) {
      const auto target = normalizePath(arena, headers.path, settings.merge_slashes);
      if (!target) return Reply{400, "", "path_normalization_failed"};
      const std::string location(http::withOneSlash(arena, *target));
      return Reply{307, "", "path_normalization_redirect", {{"location", location}}};
    }
  }
  if (settings.normalize_path) {
    const std::optional<std::string_view> normal = normalizePath(arena, headers.path, settings.merge_slashes);
    if (!normal) return Reply{400, "", "path_normalization_failed"};
    headers.path = *normal;
  } else if (settings.merge_slashes) {
    headers.path = mergeSlashes(arena, headers.path);
  }
  if (settings.strip_trailing_host_dot) headers.authority = withoutDot(arena, headers.authority);
  // The port of CONNECT is the target's.
  const bool strip = headers.method != "CONNECT";
  if (strip && (settings.strip_any_host_port || settings.strip_matching_host_port)) {
    headers.authority = withoutPort(headers.authority, settings.strip_any_host_port, peer.local_port);
  }
  return std::nullopt;
}

std::optional<Reply> applyRequestPolicy(const HttpSettings& settings, const PeerText& peer, base::Random& random,
                                        http::RequestHeaders& headers, stream::StreamInfo& info) {
  base::Arena& arena = headers.arena();
  // What is added here is no word of the client's.
  if (std::optional<Reply> refusal = applyNamePolicy(settings, headers)) return refusal;
  if (!settings.early_mutations.empty()) {
    const stream::FormatContext context{.request = &headers, .info = info};
    for (const route::HeaderMutations& change : settings.early_mutations) change.apply(headers, context);
  }
  const bool names_no_host = headers.authority.empty() && headers.protocol == http::Protocol::kHttp10;
  if (names_no_host) headers.authority = arena.copy(settings.default_host);
  if (headers.authority.empty() && headers.protocol != http::Protocol::kHttp10)
    return Reply{400, "", "missing_host_header"};
  if (headers.method == "QUERY" && !headers.has(Name::kContentType))
    return Reply{400, "", "query_missing_content_type"};
  if (headers.scheme.empty() || !settings.scheme.empty()) headers.scheme = clientScheme(settings, peer);

  if (std::optional<Reply> refusal = applyTargetPolicy(settings, peer, headers)) return refusal;

  Forwarding forwarding = applyForwarding(settings, peer, headers, info);
  if (forwarding.refusal) return std::move(forwarding.refusal);
  info.match_upstream_scheme = settings.match_upstream_scheme;
  info.hides_client = settings.hides_client;
  if (peer.internal_hops > 0) info.internal_hops = std::max(peer.internal_hops, stream::takeInternalHops(headers));

  if (!settings.via.empty()) headers.append("via", settings.via);

  std::optional<std::string_view> id = headers.get(Name::kXRequestId);
  if (settings.generate_request_id && (!id || (forwarding.edge && !settings.preserve_external_request_id))) {
    id = makeRequestId(arena, random);
    headers.remove(Name::kXRequestId);
    headers.addView(Name::kXRequestId, *id);
  }
  info.request_id = id.value_or("");
  return std::nullopt;
}

}  // namespace sluice::session
