#include "source/http/h1/head_writer.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "source/http/chars.h"
#include "source/http/name_forms.h"
#include "source/http/rules.h"

namespace sluice::http::h1 {

namespace {

// Fields that this codec says itself.
constexpr uint64_t kOwnFields = bit(Name::kHost) | bit(Name::kContentLength) | bit(Name::kTransferEncoding) |
                                bit(Name::kConnection) | bit(Name::kKeepAlive) | bit(Name::kProxyConnection) |
                                bit(Name::kUpgrade) | bit(Name::kHttp2Settings) | bit(Name::kExpect);

template <typename Word>
void copyWord(char* out, const char* in) {
  Word word;
  std::memcpy(&word, in, sizeof(word));
  std::memcpy(out, &word, sizeof(word));
}

// memcpy without a call for the sizes of names and values.
inline void copySmall(char* out, const char* in, size_t size) {
  if (size > 32) {
    std::memcpy(out, in, size);
  } else if (size >= 16) {
    struct Sixteen {
      uint64_t a, b;
    };
    copyWord<Sixteen>(out, in);
    copyWord<Sixteen>(out + size - 16, in + size - 16);
  } else if (size >= 8) {
    copyWord<uint64_t>(out, in);
    copyWord<uint64_t>(out + size - 8, in + size - 8);
  } else if (size >= 4) {
    copyWord<uint32_t>(out, in);
    copyWord<uint32_t>(out + size - 4, in + size - 4);
  } else if (size > 0) {
    out[0] = in[0];
    out[size - 1] = in[size - 1];
    out[size / 2] = in[size / 2];
  }
}

// A buffer for one head: on the stack for all usual sizes, else in the arena.
class HeadBuffer {
 public:
  HeadBuffer(base::Arena& arena, size_t size, bool sanitize)
      : begin_(size + kPadding <= sizeof(stack_) ? stack_ : arena.allocate(size + kPadding)),
        at_(begin_),
        sanitize_(sanitize) {}

  void text(std::string_view text) {
    copySmall(at_, text.data(), text.size());
    at_ += text.size();
  }

  void endLine() {
    std::memcpy(at_, "\r\n", 2);
    at_ += 2;
    lines_ += 1;
  }

  void value(std::string_view value) {
    char* const from = at_;
    text(value);
    if (!sanitize_) return;
    for (char* c = from; c < at_; ++c) {
      if (*c == '\r' || *c == '\n' || *c == '\0') *c = ' ';
    }
  }

  void token(std::string_view token) {
    char* const from = at_;
    text(token);
    if (!sanitize_) return;
    for (char* c = from; c < at_; ++c) {
      if (tokenLower(*c) == 0) *c = '_';
    }
  }

  // A request target and the space behind it. Takes up to three bytes for one where it sanitizes.
  void target(std::string_view target) {
    if (sanitize_) {
      constexpr char kHex[] = "0123456789ABCDEF";
      for (char c : target) {
        if (c > 0x20 && c < 0x7f && c != '#') {
          *at_++ = c;
          continue;
        }
        *at_++ = '%';
        *at_++ = kHex[static_cast<unsigned char>(c) >> 4];
        *at_++ = kHex[c & 15];
      }
      *at_++ = ' ';
      return;
    }
    char* const from = at_;
    text(target);
    *at_++ = ' ';
    if (skipTarget(from) != at_ - 1) dirty_ = true;
  }

  void fields(const HeaderList& list, uint64_t skip) {
    for (const Field& field : list) {
      if ((skip >> static_cast<unsigned>(field.id)) & 1) continue;
      token(field.name);
      std::memcpy(at_, ": ", 2);
      at_ += 2;
      value(field.value);
      endLine();
    }
  }

  // Are the ends of lines that were written the only bytes that could end one?
  bool clean() {
    if (dirty_) return false;
    return countLineBytes() == 2 * lines_;
  }

  // Writes the names of all lines but the first in these forms; null: "Like-This".
  void writeNames(const NameForms* forms) {
    char* line = begin_;
    while ((line = nextLine(line)) != at_ && *line != '\r') {
      const auto size = static_cast<size_t>(static_cast<char*>(std::memchr(line, ':', at_ - line)) - line);
      forms != nullptr ? forms->apply(line, size) : writeProperCase(line, size);
    }
  }

  std::string_view view() const { return {begin_, static_cast<size_t>(at_ - begin_)}; }

 private:
  char* nextLine(char* line) {
    void* const end = std::memchr(line, '\n', at_ - line);
    return end == nullptr ? at_ : static_cast<char*>(end) + 1;
  }

  // CR, LF and NUL.
  size_t countLineBytes() {
    size_t count = 0;
#if defined(__SSE2__)
    // Bytes below 0x0e, which counts HTAB too: the exact count follows only where that differs.
    std::memset(at_, ' ', kPadding);
    const __m128i zero = _mm_setzero_si128();
    __m128i sums = zero;
    for (const char* c = begin_; c < at_;) {
      __m128i low = zero;  // counts in bytes, which hold 255 rounds
      const char* const stop = c + std::min<ptrdiff_t>(at_ - c, 255 * 16);
      for (; c < stop; c += 16) low = _mm_sub_epi8(low, detail::atMost(detail::load16(c), 0x0d));
      sums = _mm_add_epi64(sums, _mm_sad_epu8(low, zero));
    }
    count = static_cast<size_t>(_mm_cvtsi128_si64(sums) + _mm_cvtsi128_si64(_mm_srli_si128(sums, 8)));
    if (count == 2 * lines_) return count;
    count = 0;
#endif
    for (const char* c = begin_; c < at_; ++c) count += *c == '\r' || *c == '\n' || *c == '\0';
    return count;
  }

  char stack_[4096];
  char* begin_;
  char* at_;
  size_t lines_ = 0;
  bool dirty_ = false;
  bool sanitize_;
};

// Builds a head by `build(HeadBuffer&)` and writes it; builds it again, sanitized, where it is not clean.
template <typename Build>
void writeHead(ByteSink& sink, const HeaderList& list, const CodecLimits& limits, size_t size, Build build) {
  const bool plain = list.forms() == nullptr && limits.name_case != NameCase::kProper;
  {
    HeadBuffer buffer(list.arena(), size, false);
    build(buffer);
    if (buffer.clean()) [[likely]] {
      if (!plain) [[unlikely]]
        buffer.writeNames(list.forms());
      sink.write(buffer.view());
      return;
    }
  }
  HeadBuffer buffer(list.arena(), size * 3, true);
  build(buffer);
  if (!plain) buffer.writeNames(list.forms());
  sink.write(buffer.view());
}

void writeFraming(HeadBuffer& out, const HeaderList& headers, Framing framing) {
  if (framing == Framing::kLength) {
    out.text("content-length: ");
    out.value(headers.get(Name::kContentLength).value_or("0"));
    out.endLine();
  } else if (framing == Framing::kChunked) {
    out.text("transfer-encoding: chunked");
    out.endLine();
  } else if (framing == Framing::kZero) {
    out.text("content-length: 0");
    out.endLine();
  }
}

std::string_view targetOf(const RequestHeaders& headers, const CodecLimits& limits) {
  if (headers.method == "CONNECT") return headers.authority;
  const std::string_view path = headers.path.empty() ? "/" : headers.path;
  if (!limits.absolute_target || path[0] != '/' || headers.authority.empty()) [[likely]]
    return path;
  return headers.arena().concat(headers.scheme, "://", headers.authority, path);
}

// All that is written besides the list: first line without its texts, framing, connection.
constexpr size_t kFixedText = 184;

}  // namespace

void writeRequestHead(ByteSink& sink, const RequestHeaders& headers, Framing framing, const CodecLimits& limits) {
  const std::string_view target = targetOf(headers, limits);
  const size_t size = headers.byteSize() + headers.method.size() + target.size() + headers.authority.size() +
                      headers.upgrade.size() + kFixedText;
  writeHead(sink, headers, limits, size, [&](HeadBuffer& out) {
    out.token(headers.method);
    out.text(" ");
    out.target(target);
    out.text("HTTP/1.1");
    out.endLine();
    out.text("host: ");
    out.value(headers.authority);
    out.endLine();
    out.fields(headers, kOwnFields);
    if (!headers.upgrade.empty()) {
      out.text(headers.has(Name::kTe) ? "connection: upgrade, te" : "connection: upgrade");
      out.endLine();
      out.text("upgrade: ");
      out.value(headers.upgrade);
      out.endLine();
    } else if (headers.has(Name::kTe)) {  // RFC 9110 section 10.1.4: TE is an option of the connection
      out.text("connection: te");
      out.endLine();
    }
    if (headers.expects_continue) {
      out.text("expect: 100-continue");
      out.endLine();
    }
    writeFraming(out, headers, framing);
    out.endLine();
  });
}

void writeResponseHead(ByteSink& sink, const ResponseHeaders& headers, Framing framing, Persistence persistence,
                       const CodecLimits& limits) {
  const std::string_view reason = headers.reason.empty() ? reasonPhrase(headers.status) : headers.reason;
  const size_t size = headers.byteSize() + reason.size() + kFixedText;
  writeHead(sink, headers, limits, size, [&](HeadBuffer& out) {
    if (headers.status == 200 && headers.reason.empty()) {
      out.text("HTTP/1.1 200 OK");
    } else {
      const uint16_t status = headers.status;
      const char line[] = {'H',
                           'T',
                           'T',
                           'P',
                           '/',
                           '1',
                           '.',
                           '1',
                           ' ',
                           static_cast<char>('0' + status / 100 % 10),
                           static_cast<char>('0' + status / 10 % 10),
                           static_cast<char>('0' + status % 10),
                           ' '};
      out.text({line, sizeof(line)});
      out.value(reason);
    }
    out.endLine();
    // What comes from another connection was left out as it was read: this is our configuration's.
    uint64_t own = (kOwnFields & ~bit(Name::kKeepAlive)) | bit(Name::kTe);
    if (headers.status == 426) own &= ~bit(Name::kUpgrade);
    out.fields(headers, own);
    if (headers.status == 426 && headers.has(Name::kUpgrade)) {
      out.text("connection: upgrade");
      out.endLine();
    }
    writeFraming(out, headers, framing);
    if (persistence == Persistence::kClose) {
      out.text("connection: close");
      out.endLine();
    } else if (persistence == Persistence::kKeepAlive) {
      out.text("connection: keep-alive");
      out.endLine();
    }
    out.endLine();
  });
}

void writeSwitch(ByteSink& sink, const ResponseHeaders& headers, std::string_view protocol, const CodecLimits& limits) {
  writeHead(sink, headers, limits, headers.byteSize() + protocol.size() + kFixedText, [&](HeadBuffer& out) {
    out.text("HTTP/1.1 101 Switching Protocols");
    out.endLine();
    out.fields(headers, kOwnFields | bit(Name::kTe));
    out.text("connection: upgrade");
    out.endLine();
    out.text("upgrade: ");
    out.value(protocol);
    out.endLine();
    out.endLine();
  });
}

void writeChunk(ByteSink& sink, std::string_view data, bool last) {
  if (!data.empty()) {
    char line[20];
    char* at = std::to_chars(line, line + 16, data.size(), 16).ptr;
    *at++ = '\r';
    *at++ = '\n';
    sink.write({line, static_cast<size_t>(at - line)});
    sink.write(data);
    sink.write(last ? "\r\n0\r\n\r\n" : "\r\n");
  } else if (last) {
    sink.write("0\r\n\r\n");
  }
}

void writeTrailers(ByteSink& sink, const Trailers& trailers, const CodecLimits& limits) {
  writeHead(sink, trailers, limits, trailers.byteSize() + kFixedText, [&](HeadBuffer& out) {
    out.text("0");
    out.endLine();
    for (const Field& field : trailers) {
      if (!allowedInTrailers(field)) continue;
      out.token(field.name);
      out.text(": ");
      out.value(field.value);
      out.endLine();
    }
    out.endLine();
  });
}

}  // namespace sluice::http::h1
