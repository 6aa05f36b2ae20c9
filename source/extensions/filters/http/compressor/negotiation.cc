#include "source/extensions/filters/http/compressor/negotiation.h"

#include "source/base/ascii.h"
#include "source/http/rules.h"

namespace sluice::extensions::http_filters::compressor {
namespace {

using compression::Accepted;
using compression::sameCoding;

// What the client said of a coding, and where. Later elements are weaker than earlier ones.
struct Liking {
  uint16_t weight = 0;
  uint32_t position = 0;
  bool by_wildcard = false;
};

// What it says of `coding` by name, or by "*"; nothing if neither.
std::optional<Liking> likingOf(std::string_view coding, std::string_view accept_encoding) {
  std::optional<Liking> named, wildcard;
  uint32_t position = 0;
  http::forEachElement(accept_encoding, [&](std::string_view element) {
    const std::optional<Accepted> accepted = compression::parseAccepted(element);
    ++position;
    if (!accepted) return;
    if (!named && sameCoding(accepted->coding, coding)) named = Liking{accepted->weight, position, false};
    if (!wildcard && accepted->coding == "*") wildcard = Liking{accepted->weight, position, true};
  });
  return named ? named : wildcard;
}

}  // namespace

bool Direction::takesType(const http::HeaderList& headers) const {
  const auto field = headers.get(http::Name::kContentType);
  if (!field) return true;
  const std::string_view type = http::withoutSpaces(field->substr(0, field->find(';')));
  for (const std::string& taken : content_types) {
    if (base::equalsLowered(type, taken)) return true;
  }
  return false;
}

Choice chooseCoding(std::string_view accept_encoding, absl::Span<const Candidate> candidates,
                    const http::HeaderList& response) {
  Choice best;
  Liking best_liking;
  const auto offer = [&](const Choice& choice, const Liking& liking, bool first) {
    if (liking.weight == 0) return;
    const bool wins = liking.weight != best_liking.weight ? liking.weight > best_liking.weight
                                                          : first || liking.position < best_liking.position;
    if (!wins) return;
    best = choice;
    best_liking = liking;
  };
  // "*" is not about it: who lists codings without it is sent it anyway.
  if (const auto liking = likingOf(compression::kIdentity, accept_encoding); liking && !liking->by_wildcard) {
    offer({compression::kIdentity, Choice::Reason::kIdentity}, *liking, false);
  }
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (!candidate.direction->takesType(response)) continue;
    const auto liking = likingOf(candidate.coding, accept_encoding);
    if (!liking) continue;
    offer({candidate.coding, liking->by_wildcard ? Choice::Reason::kWildcard : Choice::Reason::kCoding}, *liking,
          candidate.choose_first);
  }
  return best;
}

}  // namespace sluice::extensions::http_filters::compressor
