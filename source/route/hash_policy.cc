#include "source/route/hash_policy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include "re2/re2.h"
#include "source/base/host_port.h"
#include "source/base/xx_hash.h"
#include "source/http/cookie.h"

namespace sluice::route {
namespace {

using base::xxHash64;
using Hash = std::optional<uint64_t>;

Hash hashOfText(std::optional<std::string_view> text) {
  return text ? Hash(xxHash64(*text)) : std::nullopt;
}

// In whatever order the lines came.
Hash hashOfLines(std::vector<std::string> lines, const HashTerm& term) {
  for (std::string& line : lines) {
    if (term.pattern) re2::RE2::GlobalReplace(&line, *term.pattern, term.substitution);
  }
  std::sort(lines.begin(), lines.end());
  uint64_t hash = 0;
  for (const std::string& line : lines) hash = xxHash64(line, hash);
  return hash;
}

Hash hashOfHeader(const HashTerm& term, const http::RequestHeaders& request) {
  std::optional<std::string_view> first;
  std::vector<std::string> all;  // used for more than one, and if something is replaced
  anyHeaderValue(request, term.name, term.id, [&](std::string_view value) {
    if (!first && !term.pattern) {
      first = value;
    } else {
      if (all.empty() && first) all.emplace_back(*first);
      all.emplace_back(value);
    }
    return false;
  });
  return all.empty() ? hashOfText(first) : hashOfLines(std::move(all), term);
}

std::string_view hexOf(uint64_t number, std::array<char, 16>& out) {
  for (size_t i = out.size(); i-- > 0; number >>= 4) out[i] = "0123456789abcdef"[number & 15];
  return {out.data(), out.size()};
}

Hash hashOfCookie(const HashTerm& term, const http::RequestHeaders& request, const stream::StreamInfo& info,
                  CookieSink& cookies) {
  const auto sent = http::cookieValue(request, term.name);
  if (sent && !sent->empty()) return xxHash64(*sent);
  // Of the connection: an address that stands in x-forwarded-for may be that of many clients.
  const std::string_view peer = info.downstream_direct_remote_address.empty() ? info.downstream_remote_address
                                                                              : info.downstream_direct_remote_address;
  if (!term.makes_cookie || peer.empty()) return std::nullopt;
  base::Arena& arena = request.arena();
  std::array<char, 16> digits;
  const std::string_view value = hexOf(xxHash64(arena.concat(peer, info.downstream_local_address)), digits);
  cookies.addCookie(arena.concat(term.name, "=\"", value, "\"", term.cookie_attributes));
  return xxHash64(value);
}

Hash hashOfAddress(std::string_view address) {
  const std::string_view ip = base::splitHostPort(address).bareHost();
  return ip.empty() ? std::nullopt : Hash(xxHash64(ip));
}

Hash hashOfQuery(const HashTerm& term, const http::RequestHeaders& request) {
  return hashOfText(queryParameter(RequestView::of(request).query, term.name));
}

Hash hashOfObject(const HashTerm& term, const stream::StreamInfo& info) {
  const auto* object = info.filter_state ? info.filter_state->get<stream::FilterState::Object>(term.name) : nullptr;
  return object == nullptr || object->text().empty() ? std::nullopt : Hash(xxHash64(object->text()));
}

Hash hashOfTerm(const HashTerm& term, const http::RequestHeaders& request, const stream::StreamInfo& info,
                CookieSink& cookies) {
  switch (term.kind) {
    case HashTerm::Kind::kHeader:
      return hashOfHeader(term, request);
    case HashTerm::Kind::kCookie:
      return hashOfCookie(term, request, info, cookies);
    case HashTerm::Kind::kSourceIp:
      return hashOfAddress(info.downstream_remote_address);
    case HashTerm::Kind::kQueryParameter:
      return hashOfQuery(term, request);
    case HashTerm::Kind::kFilterState:
      return hashOfObject(term, info);
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> hashOf(const HashPolicy& policy, const http::RequestHeaders& request,
                               const stream::StreamInfo& info, CookieSink& cookies) {
  Hash hash;
  for (const HashTerm& term : policy) {
    // Turned, so that equal terms do not cancel each other out.
    if (const Hash next = hashOfTerm(term, request, info, cookies)) hash = std::rotl(hash.value_or(0), 1) ^ *next;
    if (term.terminal && hash) break;
  }
  return hash;
}

}  // namespace sluice::route
