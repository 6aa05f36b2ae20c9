// Seals private keys for a file: AES-256-GCM by the key of a key file.
// Thread: any; immutable.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::extensions::http_filters::oauth2_server {

class Sealer {
 public:
  // `text`: 32 bytes, or their 64 hexadecimal digits, with a line feed behind them or not. nullopt: it is none of that.
  static std::optional<Sealer> parse(std::string_view text);

  // `about` is not sealed, but has to be the same when it is opened.
  std::string seal(std::string_view plain, std::string_view about) const;
  // nullopt: another key, another `about`, or not what was sealed.
  std::optional<std::string> open(std::string_view sealed, std::string_view about) const;

 private:
  std::array<uint8_t, 32> key_;
};

}  // namespace sluice::extensions::http_filters::oauth2_server
