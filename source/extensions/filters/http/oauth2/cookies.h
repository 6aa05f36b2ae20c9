// The cookies of a configuration: in requests, in pieces where they are long, and as fields that set them. (RFC 6265)
//
// A value of more than kMaxPiece bytes stands in several cookies: NAME with "*N*" in front, then NAME.1 to NAME.(N-1).
// Each login has cookies of its own, NAME.ID. Thread: the worker of the stream; texts live in the arena of its head.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "source/http/headers.h"

namespace sluice::extensions::http_filters::oauth2 {

enum class CookieKind : uint8_t {
  kBearerToken,
  kHmac,
  kExpires,
  kIdToken,
  kRefreshToken,
  kNonce,
  kVerifier,
  kCount,
};
constexpr size_t kCookieKinds = static_cast<size_t>(CookieKind::kCount);

enum class SameSite : uint8_t { kUnsaid, kStrict, kLax, kNone };

struct CookieRule {
  std::string name;
  std::string path = "/";
  SameSite same_site = SameSite::kLax;
  bool partitioned = false;
};

struct CookieRules {
  std::array<CookieRule, kCookieKinds> of;
  std::string domain;  // empty: none

  const CookieRule& operator[](CookieKind kind) const { return of[static_cast<size_t>(kind)]; }
};

constexpr size_t kMaxPiece = 3800;  // bytes of a name and its value: browsers keep 4096 with what else is said of it
constexpr size_t kMaxPieces = 16;
constexpr size_t kMaxCookies = 64;  // of a kind that are looked at; no browser has more of ours

// What a request has of them.
class CookieJar {
 public:
  CookieJar(const CookieRules& rules, const http::HeaderList& headers);

  // The whole value; nullopt: there is none, or a piece of it is missing.
  std::optional<std::string> value(CookieKind kind) const;
  // Of NAME.SUFFIX; nullopt: there is none.
  std::optional<std::string_view> value(CookieKind kind, std::string_view suffix) const;
  // All that are there, NAME as "", in the request's order: of one path the oldest first.
  std::vector<std::string_view> suffixes(CookieKind kind) const;
  bool empty() const;

 private:
  using Found = std::vector<std::pair<std::string_view, std::string_view>>;  // suffix and value
  const Found& of(CookieKind kind) const { return found_[static_cast<size_t>(kind)]; }

  std::array<Found, kCookieKinds> found_;
};

// Takes all of them off a request, those, too, that only some servers would take for one.
void removeCookies(const CookieRules& rules, http::HeaderList& headers);

// Fields that set cookies.
class CookieWriter {
 public:
  // `secure`: clients see the site by https.
  CookieWriter(const CookieRules& rules, const CookieJar& jar, bool secure)
      : rules_(rules), jar_(jar), secure_(secure) {}

  // `value`: of cookie octets, not empty; at most kMaxPieces pieces, else false and nothing is set. Pieces that the
  // client has of a longer one go.
  bool set(CookieKind kind, std::string_view value, std::chrono::seconds max_age);
  void set(CookieKind kind, std::string_view suffix, std::string_view value, std::chrono::seconds max_age);
  void clear(CookieKind kind, std::string_view suffix);
  // All that the client has of the kind.
  void clear(CookieKind kind);
  void clearAll();

  // What stands behind "set-cookie".
  std::vector<std::string> take() { return std::move(fields_); }
  size_t bytes() const;

 private:
  std::string nameOf(CookieKind kind, std::string_view suffix) const;
  void add(CookieKind kind, std::string_view suffix, std::string_view value, std::chrono::seconds max_age);

  const CookieRules& rules_;
  const CookieJar& jar_;
  const bool secure_;
  std::vector<std::string> fields_;
};

}  // namespace sluice::extensions::http_filters::oauth2
