// The rules that clients are held to here and that Envoy by default does not hold them to: what may be let through and
// counted instead (--report-only) while they are not kept yet. Whatever else is refused is refused for everybody: what
// frames a message, NUL, bare CR or LF, folded lines, escapes of paths, and names that say who asks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sluice::http {

class RequestHeaders;

enum class StrictRule : uint8_t {
  kConnectPort,      // CONNECT to no port, an empty one or 0 (RFC 9110 9.3.6); let through as it is
  kHostConflict,     // Host differs from the authority of the target; let through, the target's holds (RFC 9112 3.2.2)
  kUnderscoreNames,  // a field's name has "_"; let through unless with "-" it would say who asks, or frame
  kUnknownExpectation,  // Expect other than 100-continue; let through without the field
  kValueEdgeSpace,      // HTTP/2: white space at an end of a field's value; let through without the space
  kCount,
};

inline constexpr size_t kStrictRules = static_cast<size_t>(StrictRule::kCount);

// "connect_port", "host_conflict", "underscore_names", "unknown_expectation", "value_edge_space".
std::string_view textOf(StrictRule rule);

class StrictRules {
 public:
  constexpr void add(StrictRule rule) { bits_ |= static_cast<uint8_t>(1U << static_cast<unsigned>(rule)); }
  constexpr void add(StrictRules rules) { bits_ |= rules.bits_; }
  constexpr bool has(StrictRule rule) const { return (bits_ >> static_cast<unsigned>(rule)) & 1; }
  constexpr bool empty() const { return bits_ == 0; }

 private:
  uint8_t bits_ = 0;
};

// The names of its rules, with commas.
std::string textOf(StrictRules rules);

// Adds the rules of a list with commas; "all" are all of them. False: `error` says which word is none.
bool parseStrictRules(std::string_view list, StrictRules& out, std::string& error);

// Which of them one request broke and was let through with, and by what; lies in the request's arena.
struct LetThrough {
  std::array<std::string_view, kStrictRules> examples;  // not null where a rule was broken
};

void noteLetThrough(RequestHeaders& headers, StrictRule rule, std::string_view example);

}  // namespace sluice::http
