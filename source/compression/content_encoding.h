// The fields that tell of codings: who accepts which, what is encoded, and what an encoded answer has to say of itself.
// (RFC 9110 sections 8.4.1, 8.8.3, 12.5.3, 12.5.5)
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "source/http/headers.h"

namespace sluice::compression {

inline constexpr std::string_view kIdentity = "identity";

// Whether two names of codings mean the same: case does not matter, "x-gzip" is "gzip".
bool sameCoding(std::string_view a, std::string_view b);

// An element of accept-encoding.
struct Accepted {
  std::string_view coding;
  uint16_t weight;  // thousandths; 0: not acceptable
};
// Nothing if the element is not one that can be read.
std::optional<Accepted> parseAccepted(std::string_view element);

// `cache-control: no-transform`. (RFC 9111 section 5.2.2.6)
bool forbidsTransform(const http::HeaderList& headers);

// Adds accept-encoding to `vary`.
void varyByEncoding(http::ResponseHeaders& headers);
// A strong etag names the bytes of another form of the answer: "x" becomes W/"x".
void weakenEtag(http::HeaderList& headers);
// Takes off what else speaks of the bytes of another form: that parts of it can be had (accept-ranges), its digests.
// (RFC 9110 section 14.3, RFC 9530)
void forgetBytes(http::HeaderList& headers);
// Whether etag is there and strong, which it is if it does not begin with W/.
bool hasStrongEtag(const http::HeaderList& headers);

}  // namespace sluice::compression
