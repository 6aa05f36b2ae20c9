// Changes as the bytes of a journal.
//
// A number is 8 bytes, little endian; a text has its length in 4 bytes in front. What a number may be is checked, so
// that what is read is what could have been written.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/crypto/sealer.h"
#include "source/extensions/filters/http/oauth2_server/state.h"

namespace sluice::extensions::http_filters::oauth2_server {

// `sealer`: by which private keys are sealed; null: they are not.
void appendChange(const Change& change, const crypto::Sealer* sealer, std::string& out);

enum class ReadFailure : unsigned char {
  kNone,
  kMalformed,
  kSealed,    // a private key is sealed, and there is no sealer
  kWrongKey,  // it was sealed by another one
};

struct ReadChanges {
  ReadFailure failure = ReadFailure::kNone;
  std::vector<Change> changes;  // empty after a failure
  bool unsealed = false;        // a private key is not sealed
};

// Changes one behind the other, to the end of `bytes`.
ReadChanges readChanges(std::string_view bytes, const crypto::Sealer* sealer);

}  // namespace sluice::extensions::http_filters::oauth2_server
