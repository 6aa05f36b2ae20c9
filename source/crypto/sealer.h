// Seals what is written to files or handed to others to keep: AES-256-GCM by a key of 32 bytes.
// Thread: any; immutable.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::crypto {

class Sealer {
 public:
  using Key = std::array<uint8_t, 32>;

  explicit Sealer(const Key& key) : key_(key) {}
  // Of a key file: 32 bytes, or their 64 hexadecimal digits, with a line feed behind them or not. nullopt: it is none
  // of that.
  static std::optional<Sealer> parse(std::string_view text);
  // Bytes of the system's randomness.
  static Key randomKey();

  // 28 bytes longer than `plain`, other ones each time. `about` is not sealed, but has to be the same when it is
  // opened.
  std::string seal(std::string_view plain, std::string_view about) const;
  // nullopt: another key, another `about`, or not what was sealed.
  std::optional<std::string> open(std::string_view sealed, std::string_view about) const;

  // They have the same key. Not for keys of strangers: how long it takes tells where they differ.
  friend bool operator==(const Sealer&, const Sealer&) = default;

 private:
  Key key_;
};

}  // namespace sluice::crypto
