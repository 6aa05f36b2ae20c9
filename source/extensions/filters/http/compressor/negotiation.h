// Which coding the client gets, if any. A chain may have several compressors: each tells what it could do, and the
// first one that has the answer's head, which is the last of the chain, decides for all. (RFC 9110 section 12.5.3)
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "source/compression/content_encoding.h"
#include "source/extensions/filters/http/compressor/settings.h"
#include "source/stream/filter_state.h"

namespace sluice::extensions::http_filters::compressor {

struct Candidate {
  std::string_view coding;
  const Direction* direction;  // what it compresses
  bool choose_first;
};

struct Choice {
  enum class Reason : uint8_t { kNotValid, kIdentity, kWildcard, kCoding };

  std::string_view coding = compression::kIdentity;
  Reason reason = Reason::kNotValid;
};

// `accept_encoding`: the whole list. The client's favourite among what the candidates can do for an answer of that type
// and no coding at all; of equal ones that which the client names first, or one that is to be chosen first.
Choice chooseCoding(std::string_view accept_encoding, absl::Span<const Candidate> candidates,
                    const http::HeaderList& response);

// What the compressors of one chain have agreed on.
class Negotiation {
 public:
  explicit Negotiation(const http::RequestHeaders& request) : request_(&request) {}

  bool isOf(const http::RequestHeaders& request) const { return request_ == &request; }
  // In the order of the chain. Of several for one coding the first stands for all.
  void add(const Candidate& candidate) { candidates_.push_back(candidate); }
  // What was chosen before, or is now.
  const Choice& choose(std::string_view accept_encoding, const http::HeaderList& response) {
    if (!chosen_) choice_ = chooseCoding(accept_encoding, candidates_, response);
    chosen_ = true;
    return choice_;
  }

 private:
  const http::RequestHeaders* request_;
  absl::InlinedVector<Candidate, 4> candidates_;
  Choice choice_;
  bool chosen_ = false;
};

// Those of a stream: its own chain's, and those of chains in front of hosts, of which each attempt has one.
class Negotiations final : public stream::FilterState::Object {
 public:
  static constexpr std::string_view kName = "envoy.filters.http.compressor";

  // That of the chain with this request; null: it has none.
  Negotiation* find(const http::RequestHeaders& request) {
    for (Negotiation& known : all_) {
      if (known.isOf(request)) return &known;
    }
    return nullptr;
  }
  Negotiation& of(const http::RequestHeaders& request) {
    Negotiation* known = find(request);
    return known != nullptr ? *known : all_.emplace_back(request);
  }
  // The chain is over, and what its candidates point to may go.
  void forget(const http::RequestHeaders& request) {
    all_.erase(std::remove_if(all_.begin(), all_.end(), [&](const Negotiation& one) { return one.isOf(request); }),
               all_.end());
  }

 private:
  absl::InlinedVector<Negotiation, 1> all_;
};

}  // namespace sluice::extensions::http_filters::compressor
