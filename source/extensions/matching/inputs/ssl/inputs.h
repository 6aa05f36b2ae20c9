// What the certificate of a client says. (proto: envoy.extensions.matching.common_inputs.ssl.v3)
//
// Absent without TLS, without a certificate, and where the certificate has no such name. It says so whether or not
// somebody vouches for it: that is validation_context's business.
#pragma once

#include "source/match/input.h"

namespace sluice::extensions::matching::inputs::ssl {

using match::Data;
using match::Scratch;
using match::Value;

// Joined by commas.
class UriSan : public match::Input {
 public:
  uint8_t needs() const override { return match::kStream; }
  Value get(const Data& data, Scratch& scratch) const override;
};

// Joined by commas.
class DnsSan : public match::Input {
 public:
  uint8_t needs() const override { return match::kStream; }
  Value get(const Data& data, Scratch& scratch) const override;
};

class Subject : public match::Input {
 public:
  uint8_t needs() const override { return match::kStream; }
  Value get(const Data& data, Scratch& scratch) const override;
};

}  // namespace sluice::extensions::matching::inputs::ssl
