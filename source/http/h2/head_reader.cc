#include "source/http/h2/head_reader.h"

#include <algorithm>
#include <cstring>

#include "source/base/ascii.h"
#include "source/http/chars.h"
#include "source/http/rules.h"

namespace sluice::http::h2 {

namespace {

// Fields that are about this connection only: a message that has one is malformed (RFC 9113 section 8.2.2).
constexpr uint64_t kForbidden = bit(Name::kConnection) | bit(Name::kProxyConnection) | bit(Name::kKeepAlive) |
                                bit(Name::kTransferEncoding) | bit(Name::kUpgrade);
constexpr uint64_t kActedOn = kForbidden | bit(Name::kHost) | bit(Name::kContentLength) | bit(Name::kTe) |
                              bit(Name::kExpect) | bit(Name::kCookie) | bit(Name::kHttp2Settings);

bool in(uint64_t set, Name id) {
  return id != Name::kOther && ((set >> static_cast<unsigned>(id)) & 1);
}

bool hasEdgeSpace(std::string_view value) {
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  return !value.empty() && (space(value.front()) || space(value.back()));
}

// A copy that is never a null pointer, padded for the vector loops.
std::string_view keepPadded(base::Arena& arena, std::string_view text) {
  return {copyPadded(arena, text), text.size()};
}

// Without a call: these are asked for each pseudo field of each request.
template <size_t kSize>
bool is(std::string_view text, const char (&literal)[kSize]) {
  return text.size() == kSize - 1 && std::memcmp(text.data(), literal, kSize - 1) == 0;
}

std::string_view keepMethod(base::Arena& arena, std::string_view text) {
  if (is(text, "GET")) return "GET";
  if (is(text, "POST")) return "POST";
  return keepPadded(arena, text);
}

bool hasObsText(std::string_view value) {
  return std::any_of(value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
}

}  // namespace

HeadReader::HeadReader(const CodecLimits& limits, bool ascii_only)
    : limits_(limits), ascii_only_(ascii_only), max_cost_(size_t{limits.max_header_bytes} * 4 + 64 * 1024) {}

void HeadReader::start(Kind kind, HeaderList* list) {
  kind_ = kind;
  list_ = list;
  bytes_ = 0;
  count_ = 0;
  malformed_ = too_large_ = regular_ = false;
  has_length_ = expect_continue_ = has_authority_ = has_host_ = false;
  length_ = 0;
  method_ = scheme_ = path_ = authority_ = protocol_ = host_ = expectation_ = {};
  crumbs_.clear();
}

void HeadReader::startRequest(RequestHeaders& out, bool extended_connect) {
  start(Kind::kRequest, &out);
  request_ = &out;
  out.let_through = nullptr;
  out.expects_continue = false;
  extended_connect_ = extended_connect;
}

void HeadReader::startResponse(ResponseHeaders& out) {
  start(Kind::kResponse, &out);
  response_ = &out;
  out.status = 0;
}

void HeadReader::startTrailers(Trailers& out, bool of_request) {
  start(of_request ? Kind::kRequestTrailers : Kind::kResponseTrailers, &out);
}

void HeadReader::startDiscarded() {
  start(Kind::kDiscarded, nullptr);
}

bool HeadReader::letThrough(StrictRule rule, std::string_view example) {
  if (kind_ != Kind::kRequest || !limits_.report_only.has(rule)) return false;
  noteLetThrough(*request_, rule, keepPadded(request_->arena(), example));
  return true;
}

bool HeadReader::add(std::string_view name, std::string_view value) {
  bytes_ += name.size() + value.size() + 4;
  if (bytes_ > limits_.max_header_bytes) {
    if (bytes_ > max_cost_) return false;
    too_large_ = true;
  }
  if (malformed_ || too_large_ || kind_ == Kind::kDiscarded) return true;
  if (!name.empty() && name[0] == ':') {
    addPseudo(name, value);
    return true;
  }
  regular_ = true;
  const Name id = nameOf(name);
  if ((id == Name::kOther && !validLowerName(name)) || !validValue(value) || (ascii_only_ && hasObsText(value))) {
    malformed_ = true;
    return true;
  }
  if (hasEdgeSpace(value)) {
    malformed_ = !letThrough(StrictRule::kValueEdgeSpace, name);
    if (malformed_) return true;
    value = withoutSpaces(value);
  }
  // As they came: crumbs of a cookie and what is dropped count as well.
  if (++count_ > limits_.max_header_count) {
    too_large_ = true;
    return true;
  }
  if (in(kActedOn, id)) {
    addKnown(id, value);
    return true;
  }
  base::Arena& arena = list_->arena();
  const Field field{id == Name::kOther ? arena.copy(name) : textOf(id), arena.copy(value), id};
  if (kind_ == Kind::kRequestTrailers && !allowedInRequestTrailers(field)) return true;
  if (kind_ == Kind::kResponseTrailers && !allowedInTrailers(field)) return true;
  list_->addView(field.id, field.name, field.value);
  return true;
}

bool HeadReader::takeOnce(std::string_view& slot, std::string_view value) {
  if (slot.data() != nullptr) {
    malformed_ = true;
    return false;
  }
  slot = keepPadded(list_->arena(), value);
  return true;
}

void HeadReader::addPseudo(std::string_view name, std::string_view value) {
  if (regular_ || trailers()) {
    malformed_ = true;
  } else if (kind_ == Kind::kRequest) {
    addRequestPseudo(name, value);
  } else {
    const bool valid = name == ":status" && response_->status == 0 && value.size() == 3 && value[0] >= '1' &&
                       value[0] <= '9' && isDigit(value[1]) && isDigit(value[2]);
    if (!valid) {
      malformed_ = true;
      return;
    }
    response_->status = static_cast<uint16_t>((value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0'));
  }
}

void HeadReader::addRequestPseudo(std::string_view name, std::string_view value) {
  if (is(name, ":method")) {
    if (method_.data() != nullptr || !validMethod(value)) malformed_ = true;
    method_ = keepMethod(list_->arena(), value);
  } else if (is(name, ":path")) {
    if (takeOnce(path_, value) && (path_.empty() || !validTarget(path_))) malformed_ = true;
  } else if (is(name, ":authority")) {
    has_authority_ = takeOnce(authority_, value);
    if (!validAuthority(authority_)) malformed_ = true;
  } else if (is(name, ":scheme")) {
    if (scheme_.data() != nullptr) malformed_ = true;
    if (base::equalsLowered(value, "http")) {
      scheme_ = "http";
    } else if (base::equalsLowered(value, "https")) {
      scheme_ = "https";
    } else {
      malformed_ = true;
    }
  } else if (is(name, ":protocol") && extended_connect_) {
    if (!takeOnce(protocol_, value) || !validMethod(value)) malformed_ = true;
  } else {
    malformed_ = true;
  }
}

// A field of kActedOn.
void HeadReader::addKnown(Name id, std::string_view value) {
  if (in(kForbidden, id)) {
    malformed_ = true;
    return;
  }
  if (trailers()) return;  // none of them may be a trailer
  base::Arena& arena = list_->arena();
  if (id == Name::kContentLength) {
    if (has_length_ || !parseLength(value, length_)) malformed_ = true;
    has_length_ = true;
    list_->addView(id, arena.copy(value));
    return;
  }
  if (kind_ == Kind::kResponse) {
    if (id == Name::kHost || id == Name::kCookie) list_->addView(id, arena.copy(value));
    return;
  }
  switch (id) {
    case Name::kHost:
      if (has_host_) {
        malformed_ = true;
        return;
      }
      has_host_ = true;
      host_ = keepPadded(arena, value);
      if (!validAuthority(host_)) malformed_ = true;
      return;
    case Name::kTe:
      if (!base::equalsLowered(value, "trailers")) {
        malformed_ = true;
      } else if (!list_->has(Name::kTe)) {
        list_->addView(id, "trailers");
      }
      return;
    case Name::kExpect:
      if (base::equalsLowered(value, "100-continue")) {
        expect_continue_ = true;
      } else {
        expectation_ = keepPadded(arena, value);
      }
      return;
    case Name::kCookie:
      // An empty one would leave space at the end of what they are joined to, which HTTP/1 takes off.
      if (!value.empty()) crumbs_.push_back(arena.copy(value));
      return;
    default:  // http2-settings
      return;
  }
}

void HeadReader::joinCookies() {
  if (crumbs_.empty()) return;
  if (crumbs_.size() == 1) {
    list_->addView(Name::kCookie, crumbs_[0]);
    return;
  }
  size_t size = 0;
  for (std::string_view crumb : crumbs_) size += crumb.size() + 2;
  char* const begin = list_->arena().allocate(size);
  char* at = begin;
  for (std::string_view crumb : crumbs_) {
    if (at != begin) {
      *at++ = ';';
      *at++ = ' ';
    }
    if (!crumb.empty()) std::memcpy(at, crumb.data(), crumb.size());
    at += crumb.size();
  }
  list_->addView(Name::kCookie, {begin, static_cast<size_t>(at - begin)});
  // A storm of crumbs does not stay with the connection.
  if (crumbs_.capacity() > 64) std::vector<std::string_view>().swap(crumbs_);
}

// A Host field stands for a missing ":authority"; beside one it must be the same (RFC 9113 section 8.3.1).
HeadReader::Outcome HeadReader::decideAuthority() {
  if (has_authority_ && has_host_ && !sameAuthority(authority_, host_) &&
      !letThrough(StrictRule::kHostConflict, host_)) {
    return Outcome::kMalformed;
  }
  if (!has_authority_ && !has_host_) return Outcome::kMalformed;
  request_->authority = has_authority_ ? authority_ : host_;
  return Outcome::kGood;
}

HeadReader::Outcome HeadReader::finishConnect() {
  if (has_length_ || !has_authority_) return Outcome::kMalformed;
  const bool extended = protocol_.data() != nullptr;
  const bool has_target = scheme_.data() != nullptr && path_.data() != nullptr;
  const bool has_part = scheme_.data() != nullptr || path_.data() != nullptr;
  if (extended ? !has_target || path_[0] != '/' : has_part) return Outcome::kMalformed;
  if (!extended) {
    if (!namesPort(authority_) && !letThrough(StrictRule::kConnectPort, authority_)) return Outcome::kMalformed;
    request_->method = "CONNECT";
    return decideAuthority();
  }
  char* const lower = const_cast<char*>(protocol_.data());  // our own copy
  for (size_t i = 0; i < protocol_.size(); ++i) lower[i] = tokenLower(lower[i]);
  request_->method = "GET";
  request_->upgrade = protocol_;
  request_->path = path_;
  request_->scheme = scheme_;
  return decideAuthority();
}

HeadReader::Outcome HeadReader::finishRequest() {
  request_->protocol = Protocol::kHttp2;
  joinCookies();
  if (method_.data() == nullptr) return Outcome::kMalformed;
  if (method_ == "CONNECT") return finishConnect();
  if (scheme_.data() == nullptr || path_.data() == nullptr || protocol_.data() != nullptr) return Outcome::kMalformed;
  if (path_[0] != '/' && !(path_ == "*" && method_ == "OPTIONS")) return Outcome::kMalformed;
  request_->method = method_;
  request_->path = path_;
  request_->scheme = scheme_;
  if (decideAuthority() != Outcome::kGood) return Outcome::kMalformed;
  const bool expects = expectation_.data() != nullptr;
  return expects && !letThrough(StrictRule::kUnknownExpectation, expectation_) ? Outcome::kUnknownExpectation
                                                                               : Outcome::kGood;
}

HeadReader::Outcome HeadReader::finish() {
  if (malformed_) return Outcome::kMalformed;
  if (too_large_) return Outcome::kTooLarge;
  if (kind_ == Kind::kRequest) return finishRequest();
  if (kind_ == Kind::kResponse) {
    response_->protocol = Protocol::kHttp2;
    if (response_->status == 0 || response_->status == 101) return Outcome::kMalformed;
    if (response_->status < 200 || response_->status == 204) response_->remove(Name::kContentLength);
  }
  return Outcome::kGood;
}

}  // namespace sluice::http::h2
