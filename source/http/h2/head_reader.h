// Collects one header block, field by field as HPACK gives them, into a list of ours, and judges it (RFC 9113 section
// 8): pseudo-header fields, names and values, fields of the connection, limits. Cookie crumbs are joined.
//
// One serves all streams of a connection: header blocks do not interleave. What is found wrong is told by finish(); the
// rest of such a block is counted, not kept.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "source/http/codec.h"
#include "source/http/headers.h"

namespace sluice::http::h2 {

class HeadReader {
 public:
  enum class Outcome : uint8_t {
    kGood,
    kMalformed,           // RFC 9113 section 8.1.1: a stream error
    kTooLarge,            // breaks CodecLimits
    kUnknownExpectation,  // Expect other than 100-continue
  };

  // `ascii_only`: a value with bytes of 0x80 and above is malformed.
  explicit HeadReader(const CodecLimits& limits, bool ascii_only = false);

  // `extended_connect`: ":protocol" is allowed (RFC 8441).
  void startRequest(RequestHeaders& out, bool extended_connect);
  void startResponse(ResponseHeaders& out);
  void startTrailers(Trailers& out, bool of_request);
  // A block that nobody wants: it is counted only.
  void startDiscarded();

  // False: the block costs so much that the connection is to end.
  [[nodiscard]] bool add(std::string_view name, std::string_view value);
  Outcome finish();

  // Valid after finish().
  bool hasLength() const { return has_length_; }
  uint64_t length() const { return length_; }
  bool expectContinue() const { return expect_continue_; }

 private:
  enum class Kind : uint8_t { kRequest, kResponse, kRequestTrailers, kResponseTrailers, kDiscarded };

  void start(Kind kind, HeaderList* list);
  bool trailers() const { return kind_ == Kind::kRequestTrailers || kind_ == Kind::kResponseTrailers; }
  // Whether this breach of a rule is only noted.
  bool letThrough(StrictRule rule, std::string_view example);
  void addPseudo(std::string_view name, std::string_view value);
  void addRequestPseudo(std::string_view name, std::string_view value);
  void addKnown(Name id, std::string_view value);
  bool takeOnce(std::string_view& slot, std::string_view value);
  Outcome finishRequest();
  Outcome finishConnect();
  Outcome decideAuthority();
  void joinCookies();

  const CodecLimits& limits_;
  const bool ascii_only_;
  size_t max_cost_;  // bytes of a block that end the connection
  RequestHeaders* request_ = nullptr;
  ResponseHeaders* response_ = nullptr;
  HeaderList* list_ = nullptr;
  size_t bytes_ = 0;
  uint32_t count_ = 0;
  Kind kind_ = Kind::kDiscarded;
  bool malformed_ = false;
  bool too_large_ = false;
  bool regular_ = false;  // a field that is no pseudo-header came
  bool extended_connect_ = false;
  bool has_length_ = false;
  bool expect_continue_ = false;
  bool has_authority_ = false;
  bool has_host_ = false;
  uint64_t length_ = 0;
  // Pseudo-header fields: a null pointer stands for one that did not come.
  std::string_view method_, scheme_, path_, authority_, protocol_, host_;
  std::string_view expectation_;  // one that is not known
  std::vector<std::string_view> crumbs_;
};

}  // namespace sluice::http::h2
