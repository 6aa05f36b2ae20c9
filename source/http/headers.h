// Header lists of messages: a flat vector of views into the stream's arena.
//
// Names are lower case (the codec lowers them), well-known names carry a small integer. Values are bytes without
// leading or trailing white space. The order of fields and repeated fields are kept. Pseudo-headers are not fields:
// RequestHeaders and ResponseHeaders have members for them.
// Thread: the worker of the stream. A list lives as long as its arena.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "source/base/arena.h"

namespace sluice::http {

class NameForms;

// Well-known field names; kOther for all others. At most 64 (presence is a bit set).
enum class Name : uint8_t {
  kOther = 0,
  kAccept,
  kAcceptEncoding,
  kAcceptLanguage,
  kAge,
  kAuthorization,
  kCacheControl,
  kConnection,
  kContentEncoding,
  kContentLength,
  kContentType,
  kCookie,
  kDate,
  kEtag,
  kExpect,
  kGrpcMessage,
  kGrpcStatus,
  kGrpcTimeout,
  kHost,
  kHttp2Settings,
  kKeepAlive,
  kLastModified,
  kLocation,
  kOrigin,
  kProxyConnection,
  kReferer,
  kRetryAfter,
  kServer,
  kSetCookie,
  kTe,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kUserAgent,
  kVary,
  kVia,
  kForwarded,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedProto,
  kXForwardedClientCert,
  kXRequestId,
  kXEnvoyAttemptCount,
  kXEnvoyDecoratorOperation,
  kXEnvoyExpectedRqTimeoutMs,
  kXEnvoyInternal,
  kXEnvoyExternalAddress,
  kXEnvoyOriginalPath,
  kXEnvoyOverloaded,
  kXEnvoyRatelimited,
  kXEnvoyUpstreamCanary,
  kXEnvoyUpstreamServiceTime,
  kXEnvoyUpstreamRqTimeoutMs,
  kXEnvoyUpstreamRqPerTryTimeoutMs,
  kXEnvoyUpstreamStreamDurationMs,
  kXSluiceRetryRefused,
  kCount,
};

namespace detail {

// The well-known names by number, and by a hash in which each has a slot of its own.
struct NameTables {
  std::array<std::string_view, static_cast<size_t>(Name::kCount)> text;
  std::array<Name, 256> slots;
  bool perfect = true;
};
extern const NameTables kNameTables;

// If an assertion in headers.cc fails for a new name, change the factors. `size` is at least 1.
constexpr uint8_t nameSlot(const char* text, size_t size) {
  const auto byte = [text](size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(text[at])); };
  return static_cast<uint8_t>(size * 5 + byte(0) * 4 + byte(size - 1) * 8 + byte(size / 2) * 5);
}

template <typename Word>
Word loadWord(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// Two texts of `size` bytes (at least 1), compared in overlapping words.
inline bool sameBytes(const char* a, const char* b, size_t size) {
  if (size >= 8) {
    for (size_t at = 0; at + 8 < size; at += 8) {
      if (loadWord<uint64_t>(a + at) != loadWord<uint64_t>(b + at)) return false;
    }
    return loadWord<uint64_t>(a + size - 8) == loadWord<uint64_t>(b + size - 8);
  }
  if (size >= 4) {
    return loadWord<uint32_t>(a) == loadWord<uint32_t>(b) &&
           loadWord<uint32_t>(a + size - 4) == loadWord<uint32_t>(b + size - 4);
  }
  return a[0] == b[0] && a[size - 1] == b[size - 1] && a[size / 2] == b[size / 2];
}

}  // namespace detail

// The well-known name of `lower` (which is in lower case), or kOther.
inline Name nameOf(std::string_view lower) {
  if (lower.empty()) return Name::kOther;
  const Name candidate = detail::kNameTables.slots[detail::nameSlot(lower.data(), lower.size())];
  const std::string_view text = detail::kNameTables.text[static_cast<size_t>(candidate)];
  if (text.size() != lower.size() || !detail::sameBytes(text.data(), lower.data(), text.size())) return Name::kOther;
  return candidate;
}
// The text of a well-known name; empty for kOther.
std::string_view textOf(Name name);

struct Field {
  std::string_view name;  // lower case
  std::string_view value;
  Name id = Name::kOther;
};

class HeaderList {
 public:
  explicit HeaderList(base::Arena& arena) : arena_(&arena) {}
  HeaderList(const HeaderList&) = delete;
  HeaderList& operator=(const HeaderList&) = delete;

  const Field* begin() const { return fields_; }
  const Field* end() const { return fields_ + size_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  bool has(Name name) const { return (present_ >> static_cast<unsigned>(name)) & 1; }
  // The first value, or nullopt. Matchers that must see every value use getAll or iterate.
  std::optional<std::string_view> get(Name name) const {
    return has(name) ? std::optional(fields_[find(name, {})].value) : std::nullopt;
  }
  std::optional<std::string_view> get(std::string_view lower) const;
  // Every value joined with "," (cookies with "; "), as RFC 9110 section 5.3 lets a recipient do; nullopt if absent.
  // One value is returned as it stands; more are joined in the arena.
  std::optional<std::string_view> getAll(std::string_view lower) const;

  // Adds a field whose bytes already live in the arena (or are static text). `name` is in lower case.
  void addView(std::string_view name, std::string_view value) { addView(nameOf(name), name, value); }
  void addView(Name id, std::string_view value) { addView(id, textOf(id), value); }
  void addView(Name id, std::string_view name, std::string_view value) {
    if (size_ == capacity_) grow();
    Field& field = fields_[size_++];
    field.name = name;
    field.value = value;
    field.id = id;
    present_ |= (uint64_t{1} << static_cast<unsigned>(id)) & ~uint64_t{1};
  }
  // Adds a field, copying both into the arena. `name` is in lower case.
  void add(std::string_view name, std::string_view value) { addView(arena_->copy(name), arena_->copy(value)); }
  void add(Name id, std::string_view value) { addView(id, arena_->copy(value)); }
  // Adds the fields of a list that may lie in another arena, and takes over how their names were written.
  void addCopies(const HeaderList& from);
  // Replaces every field of that name by one (in the place of the first); the bytes are copied.
  void set(Name id, std::string_view value) { has(id) ? replace(id, value) : add(id, value); }
  void set(std::string_view name, std::string_view value);
  // Appends ",value" to the last field of that name, or adds it.
  void append(std::string_view name, std::string_view value);
  // Removes all fields of that name; returns how many went.
  size_t remove(Name id);
  size_t remove(std::string_view lower);
  // Removes that field, which is one of these.
  void removeField(const Field& field);
  // Removes the fields for which `drop(const Field&)` is true; keeps the order.
  template <typename Predicate>
  size_t removeIf(Predicate drop);
  void clear() {
    size_ = 0;
    present_ = 0;
    forms_ = nullptr;
  }

  // How the peer wrote the names; null: not known.
  const NameForms* forms() const { return forms_; }
  void setForms(const NameForms* forms) { forms_ = forms; }

  // Sum of name and value bytes plus 4 for each field, about its size on an HTTP/1 wire.
  size_t byteSize() const;

  base::Arena& arena() const { return *arena_; }

 protected:
  void take(HeaderList& other) {
    arena_ = other.arena_;
    fields_ = std::exchange(other.fields_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    present_ = std::exchange(other.present_, 0);
    forms_ = std::exchange(other.forms_, nullptr);
  }

 private:
  static constexpr uint32_t kFirstCapacity = 16;

  void grow();
  void replace(Name id, std::string_view value);
  // Index of the first field of that name, or size_.
  uint32_t find(Name id, std::string_view lower) const;

  base::Arena* arena_;
  Field* fields_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = 0;
  uint64_t present_ = 0;  // bit per well-known name
  const NameForms* forms_ = nullptr;
};

template <typename Predicate>
size_t HeaderList::removeIf(Predicate drop) {
  uint32_t kept = 0;
  uint64_t present = 0;
  for (uint32_t i = 0; i < size_; ++i) {
    if (drop(static_cast<const Field&>(fields_[i]))) continue;
    present |= uint64_t{1} << static_cast<unsigned>(fields_[i].id);
    if (kept != i) fields_[kept] = fields_[i];
    ++kept;
  }
  const size_t removed = size_ - kept;
  size_ = kept;
  present_ = present & ~uint64_t{1};
  return removed;
}

using Trailers = HeaderList;

enum class Protocol : uint8_t { kHttp10, kHttp11, kHttp2, kHttp3 };
std::string_view textOf(Protocol protocol);  // "HTTP/1.1", as in Envoy's %PROTOCOL%

struct LetThrough;

// The head of a request in canonical form: what the router, the filters, the log and the upstream all see.
class RequestHeaders : public HeaderList {
 public:
  using HeaderList::HeaderList;

  std::string_view method;     // a token, as received ("GET")
  std::string_view path;       // origin form with query: "/a?b"; "*" for OPTIONS *; empty for CONNECT
  std::string_view authority;  // host[:port] as sent; the `host` header is not in the list
  std::string_view scheme;     // "http" or "https"; an HTTP/1 codec sets it for the absolute form only
  // The protocol that the client wants to go over to ("websocket", in lower case): of an HTTP/1 upgrade or of an
  // extended CONNECT (RFC 8441), which look the same here: method GET (or what HTTP/1 sent), no `upgrade` or
  // `connection` field. Accepted by status 101 in both cases; the codecs translate. Empty: no upgrade. CONNECT itself
  // is method "CONNECT".
  std::string_view upgrade;
  Protocol protocol = Protocol::kHttp11;
  // What --report-only has let pass in this request, in its arena; null: nothing. (source/http/strictness.h)
  LetThrough* let_through = nullptr;

  // The host is asked whether it wants the body: "expect: 100-continue" is written, which stands in no list. What a
  // client expects of us is the session's to answer.
  bool expects_continue = false;

  // An accepted one turns the stream into a tunnel.
  bool wantsTunnel() const { return !upgrade.empty() || method == "CONNECT"; }
  bool isHead() const { return method == "HEAD"; }
  // Path without the query.
  std::string_view pathOnly() const { return path.substr(0, path.find('?')); }
  // A pseudo-header (":method", ":path", ":authority", ":scheme") or a field; nullopt if absent.
  std::optional<std::string_view> lookup(std::string_view lower) const;
};

class ResponseHeaders : public HeaderList {
 public:
  using HeaderList::HeaderList;

  // Becomes what `other` is, which is empty then: nothing is copied but views. Both use the same arena, or that of
  // `other` lives as long as this.
  void take(ResponseHeaders& other) {
    HeaderList::take(other);
    status = std::exchange(other.status, 0);
    reason = std::exchange(other.reason, {});
    protocol = other.protocol;
  }

  uint16_t status = 0;      // 100..999
  std::string_view reason;  // HTTP/1 reason phrase as received; empty: the standard one
  Protocol protocol = Protocol::kHttp11;

  std::optional<std::string_view> lookup(std::string_view lower) const;  // ":status" too
};

// The standard reason phrase of a status ("Not Found"), "Unknown" if there is none.
std::string_view reasonPhrase(uint16_t status);

}  // namespace sluice::http
