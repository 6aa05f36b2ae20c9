#include "source/http/h1/head_parser.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "source/base/ascii.h"
#include "source/http/chars.h"
#include "source/http/name_forms.h"
#include "source/http/rules.h"

namespace sluice::http::h1 {

namespace {

constexpr size_t kMaxMethod = 64;
// Each is compared with every field.
constexpr uint32_t kMaxConnectionOptions = 64;

// Fields that the parser itself acts on.
constexpr uint64_t kActedOn = bit(Name::kHost) | bit(Name::kContentLength) | bit(Name::kTransferEncoding) |
                              bit(Name::kConnection) | bit(Name::kTe) | bit(Name::kExpect) | bit(Name::kKeepAlive) |
                              bit(Name::kProxyConnection) | bit(Name::kUpgrade) | bit(Name::kHttp2Settings);

enum class Kind : uint8_t { kRequest, kResponse, kRequestTrailers, kResponseTrailers };

constexpr bool areTrailers(Kind kind) {
  return kind == Kind::kRequestTrailers || kind == Kind::kResponseTrailers;
}

// What the fields of one block say, while it is parsed.
struct FieldState {
  HeadFacts facts;
  uint32_t hosts = 0;
  uint32_t lengths = 0;
  uint32_t options = 0;         // in Connection fields
  bool names_fields = false;    // a Connection field names other fields
  bool upgrade_option = false;  // "connection: upgrade"
  bool keeps_upgrade = false;   // of a 426, whose point it is (RFC 9110 section 15.5.22)
  const UpgradeFilter* ignored_upgrades = nullptr;
  std::string_view upgrade;  // the first protocol that is asked for, but h2c and those that are ignored
  Fault length_fault = Fault::kNone;
  Fault coding_fault = Fault::kNone;
  std::string_view host;
  std::string_view expectation;  // one that is not known
};

struct RequestLine {
  enum class Form : uint8_t { kOrigin, kAbsolute, kAuthority, kAsterisk };

  std::string_view method;
  std::string_view authority;  // of the absolute and authority forms
  std::string_view path;       // may be empty or begin with '?' in the absolute form
  std::string_view scheme;     // of the absolute form
  Form form = Form::kOrigin;
  Protocol protocol = Protocol::kHttp11;
  char* end = nullptr;  // behind CR LF
};

void readConnection(std::string_view value, FieldState& state) {
  forEachElement(value, [&state](std::string_view option) {
    ++state.options;
    if (base::equalsLowered(option, "close")) {
      state.facts.close = true;
    } else if (base::equalsLowered(option, "keep-alive")) {
      state.facts.keep_alive = true;
    } else {
      state.upgrade_option |= base::equalsLowered(option, "upgrade");
      state.names_fields = true;
    }
  });
}

// May a Connection field name this one and so have it removed? Never a well-known field, nor one that proxies in
// front of us may have set: a client could take out what they said.
bool removableByConnection(const Field& field) {
  return field.id == Name::kOther && !field.name.starts_with("x-forwarded-") && !field.name.starts_with("x-envoy-") &&
         field.name != "x-real-ip" && field.name != "proxy-authorization";
}

void removeNamedFields(std::string_view value, HeaderList& out) {
  forEachElement(value, [&out](std::string_view option) {
    out.removeIf([option](const Field& field) {
      return base::equalsLowered(option, field.name) && removableByConnection(field);
    });
  });
}

// The last coding tells where the message ends, so it has to be "chunked", and no other may be (RFC 9112 section 6.3).
Fault codingFault(std::string_view value, bool another_line) {
  if (value.size() == 7 && base::equalsLowered(value, "chunked") && !another_line) return Fault::kNone;
  bool ended = false, unknown = false, misplaced = another_line;
  forEachElement(value, [&](std::string_view coding) {
    misplaced |= ended;
    ended = base::equalsLowered(coding, "chunked");
    unknown |= !ended;
  });
  return ended && unknown && !misplaced ? Fault::kUnknownTransferCoding : Fault::kInvalidTransferCoding;
}

// A field that says something about the message's framing or the connection.
template <Kind kKind>
void act(Name id, std::string_view name, std::string_view value, FieldState& state, HeaderList& out) {
  switch (id) {
    case Name::kHost:
      if constexpr (kKind == Kind::kRequest) {
        ++state.hosts;
        state.host = value;
      } else {
        out.addView(id, name, value);
      }
      return;
    case Name::kContentLength:
      if (++state.lengths > 1) {
        state.length_fault = Fault::kManyContentLengths;
        return;
      }
      state.facts.has_length = true;
      if (!parseLength(value, state.facts.length)) state.length_fault = Fault::kInvalidContentLength;
      out.addView(id, name, value);
      return;
    case Name::kTransferEncoding:
      state.coding_fault = codingFault(value, state.facts.chunked);
      state.facts.chunked = true;
      return;
    case Name::kConnection:
      readConnection(value, state);
      // Kept until the block is read, then taken out with the fields that it names.
      if (state.names_fields) out.addView(id, name, value);
      return;
    case Name::kTe:
      if constexpr (kKind == Kind::kRequest) {
        bool trailers = false;
        forEachElement(value, [&trailers](std::string_view e) { trailers |= base::equalsLowered(e, "trailers"); });
        if (trailers && !out.has(Name::kTe)) out.addView(id, name, "trailers");
      }
      return;
    case Name::kExpect:
      if constexpr (kKind == Kind::kRequest) {
        if (base::equalsLowered(value, "100-continue")) {
          state.facts.expect_continue = true;
        } else {
          state.expectation = value;
        }
      }
      return;
    case Name::kUpgrade:
      if (state.keeps_upgrade) out.addView(id, name, value);
      forEachElement(value, [&state](std::string_view protocol) {
        if (!state.upgrade.empty() || base::equalsLowered(protocol, "h2c")) return;
        if (state.ignored_upgrades == nullptr || !state.ignored_upgrades->ignores(protocol)) state.upgrade = protocol;
      });
      return;
    default:  // keep-alive, proxy-connection, http2-settings: this connection's only
      return;
  }
}

Fault nameFault(const char* line, const char* stop) {
  if (*line == ' ' || *line == '\t') return Fault::kObsFold;
  if (*stop == ':') return Fault::kEmptyName;
  if (*stop == ' ' || *stop == '\t') return Fault::kSpaceBeforeColon;
  if (*stop == '\r' && stop[1] == '\n') return Fault::kNoColon;
  return Fault::kInvalidCharacters;
}

// Parses lines up to and with the empty one; `at` moves behind it. The text is padded and ends in CR LF CR LF.
template <Kind kKind>
Fault parseFields(char*& at, uint32_t max_count, FieldState& state, HeaderList& out) {
  uint32_t count = 0;
  char* line = at;
  while (*line != '\r') {
    char* const colon = lowerToken(line);
    if (*colon != ':' || colon == line) return nameFault(line, colon);
    char* value = colon + 1 + (colon[1] == ' ');
    while (*value == ' ' || *value == '\t') [[unlikely]]++ value;
    char* stop = skipValue(value);
    if (stop[0] != '\r' || stop[1] != '\n') return Fault::kInvalidCharacters;
    char* const next = stop + 2;
    while ((stop[-1] == ' ' || stop[-1] == '\t') && stop > value) [[unlikely]]-- stop;
    if (++count > max_count) return areTrailers(kKind) ? Fault::kTooManyTrailers : Fault::kTooManyHeaders;

    const std::string_view name(line, static_cast<size_t>(colon - line));
    const std::string_view text(value, static_cast<size_t>(stop - value));
    const Name id = nameOf(name);
    if constexpr (kKind == Kind::kRequestTrailers) {
      if (allowedInRequestTrailers(Field{name, text, id})) out.addView(id, name, text);
    } else if constexpr (kKind == Kind::kResponseTrailers) {
      if (allowedInTrailers(Field{name, text, id})) out.addView(id, name, text);
    } else if ((kActedOn >> static_cast<unsigned>(id)) & 1) [[unlikely]] {
      act<kKind>(id, name, text, state, out);
    } else {
      out.addView(id, name, text);
    }
    line = next;
  }
  if (line[1] != '\n') return Fault::kInvalidCharacters;
  at = line + 2;
  return Fault::kNone;
}

// Framing (RFC 9112 section 6.3) and the fields that Connection names, once all fields are read.
Fault finishFields(Protocol protocol, const CodecLimits& limits, FieldState& state, HeaderList& out) {
  if (state.length_fault != Fault::kNone) return state.length_fault;
  if (state.facts.chunked) {
    if (state.coding_fault != Fault::kNone) return state.coding_fault;
    if (protocol == Protocol::kHttp10) return Fault::kTransferCodingIn10;
    if (state.facts.has_length) {
      if (!limits.allow_chunked_length) return Fault::kLengthAndChunked;
      out.remove(Name::kContentLength);
      state.facts.has_length = false;
    }
  }
  if (state.names_fields) {
    if (state.options > kMaxConnectionOptions) return Fault::kTooManyHeaders;
    for (size_t i = 0; i < out.size();) {
      const Field field = out.begin()[i];
      const size_t before = out.size();
      if (field.id == Name::kConnection) removeNamedFields(field.value, out);
      i = out.size() == before ? i + 1 : 0;  // removing moved the fields: start again
    }
    out.remove(Name::kConnection);
  }
  return Fault::kNone;
}

// "scheme://authority[/path][?query]"
Fault parseAbsoluteForm(std::string_view target, RequestLine& out) {
  size_t skip = 0;
  if (target.size() > 7 && base::equalsLowered(target.substr(0, 7), "http://")) {
    out.scheme = "http";
    skip = 7;
  } else if (target.size() > 8 && base::equalsLowered(target.substr(0, 8), "https://")) {
    out.scheme = "https";
    skip = 8;
  } else {
    return Fault::kInvalidTarget;
  }
  const std::string_view rest = target.substr(skip);
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  out.form = RequestLine::Form::kAbsolute;
  out.authority = rest.substr(0, end);
  out.path = rest.substr(end);
  return validAuthority(out.authority) ? Fault::kNone : Fault::kInvalidHost;
}

Fault parseTarget(std::string_view target, const CodecLimits& limits, RequestLine& out) {
  if (out.method == "CONNECT") {
    out.form = RequestLine::Form::kAuthority;
    out.authority = target;
    return validAuthority(target) ? Fault::kNone : Fault::kInvalidTarget;
  }
  if (target[0] == '/') {
    out.path = target;
    return Fault::kNone;
  }
  if (target == "*") {
    out.form = RequestLine::Form::kAsterisk;
    out.path = target;
    return out.method == "OPTIONS" ? Fault::kNone : Fault::kInvalidTarget;
  }
  if (!limits.allow_absolute_url) return Fault::kInvalidTarget;
  return parseAbsoluteForm(target, out);
}

Fault versionFault(const char* at) {
  if (std::memcmp(at, "HTTP/", 5) != 0 || !isDigit(at[5]) || at[6] != '.' || !isDigit(at[7])) {
    return Fault::kInvalidVersion;
  }
  return Fault::kUnsupportedVersion;
}

// HTTP/1.2 and what may follow is understood as HTTP/1.1 (RFC 9110 section 2.5).
bool isLaterMinor(const char* at) {
  return std::memcmp(at, "HTTP/1.", 7) == 0 && at[7] >= '2' && at[7] <= '9';
}

// The text is padded and holds CR LF.
Fault parseRequestLine(char* text, const CodecLimits& limits, RequestLine& out) {
  char* at = text;
  if (std::memcmp(at, "GET ", 4) == 0) {
    at += 3;
  } else {
    while (tokenLower(*at) != 0) ++at;
  }
  if (at == text || *at != ' ' || at - text > static_cast<ptrdiff_t>(kMaxMethod)) return Fault::kInvalidMethod;
  out.method = {text, static_cast<size_t>(at - text)};

  char* const target = ++at;
  at = skipTarget(target);
  if (*at == '#') return Fault::kFragment;
  if (*at == '\r' && at[1] == '\n') return Fault::kHttp09;
  if (*at != ' ') return Fault::kInvalidCharacters;
  if (at == target) return Fault::kInvalidRequestLine;
  const std::string_view target_text(target, static_cast<size_t>(at - target));

  ++at;  // 8 bytes and CR LF: kPadding lets them be read
  if (std::memcmp(at, "HTTP/1.1", 8) == 0) {
    out.protocol = Protocol::kHttp11;
  } else if (std::memcmp(at, "HTTP/1.0", 8) == 0) {
    out.protocol = Protocol::kHttp10;
    if (!limits.accept_http_10) return Fault::kLowVersion;
  } else if (out.method == "PRI" && target_text == "*" && std::memcmp(at, "HTTP/2.0", 8) == 0) {
    return Fault::kHttp2Preface;
  } else if (!isLaterMinor(at)) {
    return versionFault(at);
  }
  if (at[8] != '\r' || at[9] != '\n') return Fault::kInvalidRequestLine;
  out.end = at + 10;
  return parseTarget(target_text, limits, out);
}

// Decides the one authority and path of a request (RFC 9112 section 3.3).
Fault decideTarget(const RequestLine& line, const CodecLimits& limits, const FieldState& state, RequestHeaders& out) {
  if (state.hosts > 1) return Fault::kManyHosts;
  if (state.hosts == 0 && line.protocol != Protocol::kHttp10) return Fault::kMissingHost;
  if (state.hosts == 1 && !validAuthority(state.host)) return Fault::kInvalidHost;
  out.path = line.path;
  out.authority = state.host;
  if (line.form == RequestLine::Form::kOrigin || line.form == RequestLine::Form::kAsterisk) [[likely]] {
    return Fault::kNone;
  }
  out.authority = line.authority;
  if (state.hosts == 1 && !sameAuthority(state.host, line.authority)) {
    if (!limits.report_only.has(StrictRule::kHostConflict)) return Fault::kConflictingHost;
    noteLetThrough(out, StrictRule::kHostConflict, state.host);
  }
  if (line.form == RequestLine::Form::kAuthority) {
    if (namesPort(line.authority)) return Fault::kNone;
    if (!limits.report_only.has(StrictRule::kConnectPort)) return Fault::kInvalidTarget;
    noteLetThrough(out, StrictRule::kConnectPort, line.authority);
    return Fault::kNone;
  }
  out.scheme = line.scheme;
  if (line.path.empty()) {
    out.path = line.method == "OPTIONS" ? "*" : "/";
  } else if (line.path[0] == '?') {
    out.path = out.arena().concat("/", line.path);
  }
  return Fault::kNone;
}

// A name with an optional version, "websocket", "TLS/1.0".
bool validProtocol(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return tokenLower(c) != 0 || c == '/'; });
}

// The protocol that is asked for or gone over to, in lower case; empty if none is.
std::string_view upgradeOf(const FieldState& state, base::Arena& arena) {
  if (!state.upgrade_option || !validProtocol(state.upgrade)) return {};
  char* const out = arena.allocate(state.upgrade.size());
  for (size_t i = 0; i < state.upgrade.size(); ++i)
    out[i] = state.upgrade[i] == '/' ? '/' : tokenLower(state.upgrade[i]);
  return {out, state.upgrade.size()};
}

Fault parseRequest(char* text, const CodecLimits& limits, RequestHeaders& out, ParsedHead& parsed) {
  out.let_through = nullptr;
  out.expects_continue = false;
  RequestLine line;
  if (const Fault fault = parseRequestLine(text, limits, line); fault != Fault::kNone) return fault;
  FieldState state;
  state.ignored_upgrades = limits.ignored_upgrades;
  char* at = line.end;
  if (const Fault fault = parseFields<Kind::kRequest>(at, limits.max_header_count, state, out); fault != Fault::kNone) {
    return fault;
  }
  parsed.size = static_cast<size_t>(at - text);
  if (const Fault fault = decideTarget(line, limits, state, out); fault != Fault::kNone) return fault;
  if (const Fault fault = finishFields(line.protocol, limits, state, out); fault != Fault::kNone) return fault;
  if (line.form == RequestLine::Form::kAuthority && (state.facts.chunked || state.facts.has_length)) {
    return Fault::kConnectWithBody;
  }
  if (line.protocol == Protocol::kHttp10) {
    state.facts.expect_continue = false;
  } else if (state.expectation.data() != nullptr) {
    if (!limits.report_only.has(StrictRule::kUnknownExpectation)) return Fault::kUnknownExpectation;
    noteLetThrough(out, StrictRule::kUnknownExpectation, state.expectation);
  }
  out.method = line.method;
  out.protocol = line.protocol;
  // One with a body is ignored, as a server may: it could be read as the body, or as the first bytes of a tunnel.
  const bool body = state.facts.chunked || state.facts.length > 0;
  if (limits.allow_upgrades && !body && line.protocol == Protocol::kHttp11 && line.method != "CONNECT") {
    out.upgrade = upgradeOf(state, out.arena());
    if (!out.upgrade.empty()) {
      out.remove(Name::kContentLength);
      state.facts.has_length = state.facts.expect_continue = false;
    }
  }
  parsed.facts = state.facts;
  return Fault::kNone;
}

Fault parseStatusLine(char*& at, ResponseHeaders& out) {
  if (std::memcmp(at, "HTTP/1.1", 8) == 0) {
    out.protocol = Protocol::kHttp11;
  } else if (std::memcmp(at, "HTTP/1.0", 8) == 0) {
    out.protocol = Protocol::kHttp10;
  } else if (isLaterMinor(at)) {
    out.protocol = Protocol::kHttp11;
  } else {
    const Fault fault = versionFault(at);
    return fault == Fault::kInvalidVersion ? Fault::kInvalidStatusLine : fault;
  }
  const char* const code = at + 9;
  if (at[8] != ' ' || code[0] < '1' || code[0] > '9' || !isDigit(code[1]) || !isDigit(code[2])) {
    return Fault::kInvalidStatusLine;
  }
  out.status = static_cast<uint16_t>((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
  char* reason = at + 12;
  if (*reason == ' ') {
    ++reason;
  } else if (*reason != '\r') {  // servers that leave out the space before an empty reason exist
    return Fault::kInvalidStatusLine;
  }
  char* const stop = skipValue(reason);
  if (stop[0] != '\r' || stop[1] != '\n') return Fault::kInvalidCharacters;
  out.reason = {reason, static_cast<size_t>(stop - reason)};
  at = stop + 2;
  return Fault::kNone;
}

Fault parseResponse(char* text, const CodecLimits& limits, ResponseHeaders& out, ParsedHead& parsed) {
  char* at = text;
  if (const Fault fault = parseStatusLine(at, out); fault != Fault::kNone) return fault;
  FieldState state;
  state.keeps_upgrade = out.status == 426;
  if (const Fault fault = parseFields<Kind::kResponse>(at, limits.max_header_count, state, out);
      fault != Fault::kNone) {
    return fault;
  }
  parsed.size = static_cast<size_t>(at - text);
  if (const Fault fault = finishFields(out.protocol, limits, state, out); fault != Fault::kNone) return fault;
  if (out.status == 101) parsed.upgrade = upgradeOf(state, out.arena());
  parsed.facts = state.facts;
  return Fault::kNone;
}

void keepForms(std::string_view text, const CodecLimits& limits, const ParsedHead& parsed, HeaderList& out) {
  if (limits.name_case < NameCase::kKeep || parsed.fault != Fault::kNone) [[likely]]
    return;
  const bool proper_others = limits.name_case == NameCase::kKeepElseProper;
  out.setForms(NameForms::read(text.substr(0, parsed.size), proper_others, out.arena()));
}

}  // namespace

bool BlockEnd::find(std::string_view text, size_t limit) {
  const char* const begin = text.data();
  const size_t end = std::min(text.size(), limit);
  size_t at = scanned_;
#if defined(__SSE2__)
  if (at == 0 && end >= 18 && begin[0] != '\n' && begin[1] != '\n') at = 2;
  // 16 bytes at once, each beside the one and the two before it.
  const __m128i feed = _mm_set1_epi8('\n');
  const __m128i carriage = _mm_set1_epi8('\r');
  for (; at >= 2 && at + 16 <= end; at += 16) {
    const __m128i feeds = _mm_cmpeq_epi8(detail::load16(begin + at), feed);
    const __m128i after_carriage = _mm_cmpeq_epi8(detail::load16(begin + at - 1), carriage);
    const __m128i after_feed = _mm_cmpeq_epi8(detail::load16(begin + at - 2), feed);
    // A line feed without CR, or one that ends an empty line.
    const __m128i stop =
        _mm_and_si128(feeds, _mm_or_si128(_mm_cmpeq_epi8(after_carriage, _mm_setzero_si128()), after_feed));
    if (_mm_movemask_epi8(stop) != 0) break;
  }
#endif
  for (; at < end; ++at) {
    if (begin[at] != '\n') continue;
    if (at == 0 || begin[at - 1] != '\r') {
      fault_ = Fault::kInvalidCharacters;
      return true;
    }
    if (at == 1 || begin[at - 2] == '\n') {
      size_ = at + 1;
      return true;
    }
  }
  scanned_ = at;
  if (end == limit) {
    fault_ = Fault::kHeadersTooLarge;
    return true;
  }
  return false;
}

ParsedHead parseRequestHead(std::string_view text, const CodecLimits& limits, RequestHeaders& out) {
  ParsedHead parsed;
  parsed.fault = parseRequest(copyPadded(out.arena(), text), limits, out, parsed);
  keepForms(text, limits, parsed, out);
  return parsed;
}

ParsedHead parseResponseHead(std::string_view text, const CodecLimits& limits, ResponseHeaders& out) {
  ParsedHead parsed;
  parsed.fault = parseResponse(copyPadded(out.arena(), text), limits, out, parsed);
  keepForms(text, limits, parsed, out);
  return parsed;
}

ParsedHead parseTrailers(std::string_view text, const CodecLimits& limits, bool of_request, Trailers& out) {
  ParsedHead parsed;
  FieldState state;
  char* const begin = copyPadded(out.arena(), text);
  char* at = begin;
  parsed.fault = of_request ? parseFields<Kind::kRequestTrailers>(at, limits.max_header_count, state, out)
                            : parseFields<Kind::kResponseTrailers>(at, limits.max_header_count, state, out);
  parsed.size = static_cast<size_t>(at - begin);
  keepForms(text, limits, parsed, out);
  return parsed;
}

Fault checkRequestStart(std::string_view text, const CodecLimits& limits) {
  size_t method = 0;
  while (method < text.size() && tokenLower(text[method]) != 0) ++method;
  if (method > kMaxMethod) return Fault::kInvalidMethod;
  if (method == text.size()) return Fault::kNone;
  if (method == 0 || text[method] != ' ') return Fault::kInvalidMethod;
  const size_t feed = text.find('\n');
  if (feed == std::string_view::npos || text[feed - 1] != '\r') return Fault::kNone;
  std::string line(text.substr(0, feed + 1));
  line.append(kPadding, '\0');
  RequestLine parsed;
  return parseRequestLine(line.data(), limits, parsed);
}

}  // namespace sluice::http::h1
