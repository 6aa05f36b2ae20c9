#include "source/extensions/filters/http/oauth2_server/change_codec.h"

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "source/base/text.h"

namespace sluice::extensions::http_filters::oauth2_server {
namespace {

enum class Kind : uint8_t { kKey = 1, kCode, kLogin, kLoginRevoked, kTokenRevoked };

constexpr int64_t kLatest = 253402300799;  // the last second of 9999

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void kind(Kind kind) { out_ += static_cast<char>(kind); }
  void flag(bool flag) { out_ += static_cast<char>(flag); }
  void number(int64_t number) { bytes(static_cast<uint64_t>(number), 8); }
  void time(WallTime time) { number(time.time_since_epoch().count()); }
  void text(std::string_view text) {
    bytes(text.size(), 4);
    out_ += text;
  }
  void digest(const Digest& digest) { out_.append(reinterpret_cast<const char*>(digest.data()), digest.size()); }
  void grant(const Grant& grant) {
    text(grant.client);
    text(grant.subject);
    text(grant.scope);
    number(static_cast<int64_t>(grant.audiences.size()));
    for (const std::string& audience : grant.audiences) text(audience);
  }

 private:
  void bytes(uint64_t number, size_t count) {
    for (size_t i = 0; i < count; ++i) out_ += static_cast<char>(number >> (8 * i));
  }

  std::string& out_;
};

// After the first thing that is not there everything is empty, and good() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool good() const { return good_; }
  bool atEnd() const { return rest_.empty(); }
  uint8_t byte() {
    const std::string_view one = take(1);
    return one.empty() ? 0 : static_cast<uint8_t>(one[0]);
  }
  bool flag() {
    const uint8_t value = byte();
    good_ &= value <= 1;
    return value == 1;
  }
  int64_t number(int64_t most = kLatest) {
    const uint64_t value = bytes(8);
    if (value > static_cast<uint64_t>(most)) {
      good_ = false;
      return 0;
    }
    return static_cast<int64_t>(value);
  }
  WallTime time() { return WallTime(std::chrono::seconds(number())); }
  std::string text() {
    const uint64_t size = bytes(4);
    return std::string(take(size));
  }
  Digest digest() {
    Digest out{};
    const std::string_view text = take(out.size());
    std::copy(text.begin(), text.end(), out.begin());
    return out;
  }
  Grant grant() {
    Grant out;
    out.client = text();
    out.subject = text();
    out.scope = text();
    const int64_t audiences = number();
    for (int64_t i = 0; i < audiences && good_; ++i) out.audiences.push_back(text());
    return out;
  }

 private:
  std::string_view take(uint64_t size) {
    if (!good_ || size > rest_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  uint64_t bytes(size_t count) {
    uint64_t out = 0;
    const std::string_view text = take(count);
    for (size_t i = 0; i < text.size(); ++i) out |= uint64_t{static_cast<uint8_t>(text[i])} << (8 * i);
    return out;
  }

  std::string_view rest_;
  bool good_ = true;
};

void write(const KeyRecord& record, const crypto::Sealer* sealer, Writer& to) {
  to.kind(Kind::kKey);
  const std::string id = record.key->id();
  to.text(id);
  to.flag(record.key->algorithm() == SigningAlgorithm::kRs256);
  to.time(record.signs_from);
  to.number(record.longest.count());
  to.flag(sealer != nullptr);
  to.text(sealer == nullptr ? record.key->privateDer() : sealer->seal(record.key->privateDer(), id));
}

void write(const CodeRecord& record, const crypto::Sealer*, Writer& to) {
  to.kind(Kind::kCode);
  to.digest(record.digest);
  to.grant(record.grant);
  to.text(record.redirect_uri);
  to.digest(record.challenge);
  to.time(record.expires);
  to.text(record.login);
}

void write(const LoginRecord& record, const crypto::Sealer*, Writer& to) {
  to.kind(Kind::kLogin);
  to.text(record.id);
  to.grant(record.grant);
  to.text(record.bound);
  to.flag(record.has_refresh);
  to.digest(record.current);
  to.digest(record.previous);
  to.time(record.rotated);
  to.time(record.refresh_expires);
  to.time(record.expires);
}

void write(const LoginRevoked& record, const crypto::Sealer*, Writer& to) {
  to.kind(Kind::kLoginRevoked);
  to.text(record.id);
}

void write(const TokenRevoked& record, const crypto::Sealer*, Writer& to) {
  to.kind(Kind::kTokenRevoked);
  to.text(record.id);
  to.time(record.expires);
}

KeyRecord readKey(Reader& from, const crypto::Sealer* sealer, ReadChanges& out) {
  KeyRecord record;
  const std::string id = from.text();
  const SigningAlgorithm algorithm = from.flag() ? SigningAlgorithm::kRs256 : SigningAlgorithm::kEs256;
  record.signs_from = from.time();
  record.longest = std::chrono::seconds(from.number());
  const bool sealed = from.flag();
  std::string der = from.text();
  if (!from.good()) return record;
  if (sealed && sealer == nullptr) {
    out.failure = ReadFailure::kSealed;
    return record;
  }
  if (sealed) {
    auto opened = sealer->open(der, id);
    if (!opened) {
      out.failure = ReadFailure::kWrongKey;
      return record;
    }
    der = *std::move(opened);
  }
  out.unsealed |= !sealed;
  record.key = SigningKey::read(algorithm, der);
  if (record.key == nullptr || record.key->id() != id) out.failure = ReadFailure::kMalformed;
  return record;
}

CodeRecord readCode(Reader& from) {
  CodeRecord record;
  record.digest = from.digest();
  record.grant = from.grant();
  record.redirect_uri = from.text();
  record.challenge = from.digest();
  record.expires = from.time();
  record.login = from.text();
  return record;
}

LoginRecord readLogin(Reader& from) {
  LoginRecord record;
  record.id = from.text();
  record.grant = from.grant();
  record.bound = from.text();
  record.has_refresh = from.flag();
  record.current = from.digest();
  record.previous = from.digest();
  record.rotated = from.time();
  record.refresh_expires = from.time();
  record.expires = from.time();
  return record;
}

std::optional<Change> readChange(Reader& from, const crypto::Sealer* sealer, ReadChanges& out) {
  switch (static_cast<Kind>(from.byte())) {
    case Kind::kKey:
      return readKey(from, sealer, out);
    case Kind::kCode:
      return readCode(from);
    case Kind::kLogin:
      return readLogin(from);
    case Kind::kLoginRevoked:
      return LoginRevoked{from.text()};
    case Kind::kTokenRevoked: {
      TokenRevoked record;
      record.id = from.text();
      record.expires = from.time();
      return record;
    }
  }
  return std::nullopt;
}

}  // namespace

void appendChange(const Change& change, const crypto::Sealer* sealer, std::string& out) {
  Writer to(out);
  std::visit([&](const auto& record) { write(record, sealer, to); }, change);
}

ReadChanges readChanges(std::string_view bytes, const crypto::Sealer* sealer) {
  ReadChanges out;
  Reader from(bytes);
  while (!from.atEnd() && out.failure == ReadFailure::kNone) {
    auto change = readChange(from, sealer, out);
    if (out.failure != ReadFailure::kNone) break;
    if (!change || !from.good()) {
      out.failure = ReadFailure::kMalformed;
    } else {
      out.changes.push_back(*std::move(change));
    }
  }
  if (out.failure != ReadFailure::kNone) out.changes.clear();
  return out;
}

}  // namespace sluice::extensions::http_filters::oauth2_server
