// Turns lists of ours into the name/value vectors that nghttp2 sends: pseudo-header fields first, fields of the
// connection left out (RFC 9113 section 8.2.2). What it gives is always one well-formed block: bytes that a peer could
// read as the end of a line, wherever a filter got them from, are replaced.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <string_view>
#include <vector>

#include "source/http/headers.h"

namespace sluice::http::h2 {

class HeadWriter {
 public:
  // Each builds the vector anew. Its texts are those of the list (or copies in the list's arena).
  void request(const RequestHeaders& headers);
  // `status` is what is said; `with_length` false leaves content-length out.
  void response(const ResponseHeaders& headers, uint16_t status, bool with_length);
  void trailers(const Trailers& trailers);
  void statusOnly(uint16_t status);

  const std::vector<nghttp2_nv>& fields() const { return fields_; }
  bool empty() const { return fields_.empty(); }
  // Whether nghttp2 may keep pointers to the texts (they stay until the frame is sent) or has to copy them.
  void setKept(bool kept);

 private:
  void add(std::string_view name, std::string_view value, uint8_t flags = NGHTTP2_NV_FLAG_NONE);
  void addField(const Field& field, base::Arena& arena);
  void addStatus(uint16_t status);

  std::vector<nghttp2_nv> fields_;
  std::array<char, 3> status_{};
};

}  // namespace sluice::http::h2
