#include "source/config/key_digest.h"

#include <cstddef>
#include <cstdint>

#include "source/base/percent.h"

namespace sluice::config {

std::optional<filter::KeyDigest> readDigest(std::string_view text) {
  filter::KeyDigest out;
  const bool with_colons = text.size() == 3 * out.size() - 1;
  if (!with_colons && text.size() != 2 * out.size()) return std::nullopt;
  const size_t step = with_colons ? 3 : 2;
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = base::hexValue(text[step * i]), low = base::hexValue(text[step * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    if (with_colons && i > 0 && text[step * i - 1] != ':') return std::nullopt;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return out;
}

}  // namespace sluice::config
