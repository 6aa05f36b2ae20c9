#include "source/http/h2/head_writer.h"

#include <cstring>

#include "source/base/ascii.h"
#include "source/http/chars.h"
#include "source/http/rules.h"

namespace sluice::http::h2 {

namespace {

constexpr uint64_t kOfConnection = bit(Name::kConnection) | bit(Name::kKeepAlive) | bit(Name::kProxyConnection) |
                                   bit(Name::kTransferEncoding) | bit(Name::kUpgrade) | bit(Name::kHttp2Settings) |
                                   bit(Name::kHost) | bit(Name::kExpect) | bit(Name::kTe);
// Credentials, and values that never come again: not worth, or not safe, to be kept in the peer's table.
constexpr uint64_t kNeverIndexed = bit(Name::kAuthorization) | bit(Name::kXRequestId);

bool in(uint64_t set, Name id) {
  return ((set >> static_cast<unsigned>(id)) & 1) != 0;
}

std::string_view cleanValue(std::string_view value, base::Arena& arena) {
  if (validValue(value)) [[likely]]
    return value;
  char* const copy = arena.allocate(value.size());
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    copy[i] = c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  }
  return {copy, value.size()};
}

std::string_view cleanName(std::string_view name, base::Arena& arena) {
  if (validLowerName(name)) [[likely]]
    return name;
  if (name.empty()) return "_";
  char* const copy = arena.allocate(name.size());
  for (size_t i = 0; i < name.size(); ++i) copy[i] = tokenLower(name[i]) != 0 ? tokenLower(name[i]) : '_';
  return {copy, name.size()};
}

// Percent-encodes what may not stand in a target.
std::string_view cleanTarget(std::string_view target, base::Arena& arena) {
  const auto good = [](char c) { return c > 0x20 && c < 0x7f && c != '#'; };
  bool clean = true;
  for (const char c : target) clean &= good(c);
  if (clean) [[likely]]
    return target;
  constexpr char kHex[] = "0123456789ABCDEF";
  char* const copy = arena.allocate(target.size() * 3);
  char* at = copy;
  for (const char c : target) {
    if (good(c)) {
      *at++ = c;
      continue;
    }
    *at++ = '%';
    *at++ = kHex[static_cast<unsigned char>(c) >> 4];
    *at++ = kHex[c & 15];
  }
  return {copy, static_cast<size_t>(at - copy)};
}

}  // namespace

void HeadWriter::add(std::string_view name, std::string_view value, uint8_t flags) {
  // nghttp2 declares its bytes mutable, and writes none.
  static constexpr char kNothing[1] = {};
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.empty() ? kNothing : text.data()));
  };
  fields_.push_back({bytes(name), bytes(value), name.size(), value.size(), flags});
}

void HeadWriter::addField(const Field& field, base::Arena& arena) {
  const std::string_view name = field.id != Name::kOther ? field.name : cleanName(field.name, arena);
  add(name, cleanValue(field.value, arena), in(kNeverIndexed, field.id) ? NGHTTP2_NV_FLAG_NO_INDEX : 0);
}

void HeadWriter::addStatus(uint16_t status) {
  status_ = {static_cast<char>('0' + status / 100 % 10), static_cast<char>('0' + status / 10 % 10),
             static_cast<char>('0' + status % 10)};
  add(":status", {status_.data(), status_.size()});
}

void HeadWriter::request(const RequestHeaders& headers) {
  fields_.clear();
  base::Arena& arena = headers.arena();
  const bool extended = !headers.upgrade.empty();
  const bool connect = !extended && headers.method == "CONNECT";
  add(":method", extended ? std::string_view("CONNECT") : cleanValue(headers.method, arena));
  if (extended) add(":protocol", cleanValue(headers.upgrade, arena));
  if (!connect) {
    add(":scheme", headers.scheme.empty() ? std::string_view("http") : cleanValue(headers.scheme, arena));
    add(":path", headers.path.empty() ? std::string_view("/") : cleanTarget(headers.path, arena));
  }
  if (!headers.authority.empty()) add(":authority", cleanValue(headers.authority, arena));
  for (const Field& field : headers) {
    if (in(kOfConnection, field.id)) continue;
    if (headers.wantsTunnel() && field.id == Name::kContentLength) continue;
    addField(field, arena);
  }
  if (headers.expects_continue) add("expect", "100-continue");
  if (headers.has(Name::kTe)) {
    forEachElement(*headers.get(Name::kTe), [this, added = false](std::string_view element) mutable {
      if (!added && base::equalsLowered(element, "trailers")) {
        add("te", "trailers");
        added = true;
      }
    });
  }
}

void HeadWriter::response(const ResponseHeaders& headers, uint16_t status, bool with_length) {
  fields_.clear();
  addStatus(status);
  for (const Field& field : headers) {
    if (in(kOfConnection, field.id) || (!with_length && field.id == Name::kContentLength)) continue;
    addField(field, headers.arena());
  }
}

void HeadWriter::trailers(const Trailers& trailers) {
  fields_.clear();
  for (const Field& field : trailers) {
    if (allowedInTrailers(field)) addField(field, trailers.arena());
  }
}

void HeadWriter::statusOnly(uint16_t status) {
  fields_.clear();
  addStatus(status);
  add("content-length", "0");
}

void HeadWriter::setKept(bool kept) {
  if (!kept) return;
  for (nghttp2_nv& field : fields_) field.flags |= NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
}

}  // namespace sluice::http::h2
