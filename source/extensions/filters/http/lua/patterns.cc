#include "source/extensions/filters/http/lua/patterns.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace sluice::extensions::http_filters::lua {
namespace {

static_assert(std::is_trivially_destructible_v<Matcher>);

constexpr uint8_t byte(char c) {
  return static_cast<uint8_t>(c);
}

enum Class : uint16_t {
  kLower = 1,
  kUpper = 2,
  kDigit = 4,
  kPunctuation = 8,
  kSpace = 16,
  kControl = 32,
  kHex = 64,
  kNul = 128,
  kSpecial = 256,  // in a pattern
  kLetter = kLower | kUpper,
  kWord = kLetter | kDigit,
  kGraph = kWord | kPunctuation,
};

// In ASCII, whatever the locale.
constexpr std::array<uint16_t, 256> kClasses = [] {
  std::array<uint16_t, 256> classes{};
  for (int c = 0; c < 128; ++c) {
    uint16_t& bits = classes[c];
    if (c >= 'a' && c <= 'z') bits |= kLower;
    if (c >= 'A' && c <= 'Z') bits |= kUpper;
    if (c >= '0' && c <= '9') bits |= kDigit;
    if (bits == 0 && c > ' ' && c < 127) bits |= kPunctuation;
    if (c == ' ' || (c >= '\t' && c <= '\r')) bits |= kSpace;
    if (c < ' ' || c == 127) bits |= kControl;
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) bits |= kHex;
    if (c == 0) bits |= kNul;
  }
  for (const char c : std::string_view("^$*+?.([%-")) classes[byte(c)] |= kSpecial;
  return classes;
}();

// By the letter behind '%': a large one stands for all other characters.
constexpr std::array<uint16_t, 256> kNamed = [] {
  std::array<uint16_t, 256> named{};
  constexpr struct {
    char name;
    uint16_t bits;
  } kAll[] = {{'a', kLetter}, {'c', kControl}, {'d', kDigit}, {'g', kGraph}, {'l', kLower}, {'p', kPunctuation},
              {'s', kSpace},  {'u', kUpper},   {'w', kWord},  {'x', kHex},   {'z', kNul}};
  for (const auto& each : kAll) named[byte(each.name)] = named[byte(each.name) - 'a' + 'A'] = each.bits;
  return named;
}();

// The character is of the one that stands behind '%'.
bool isOf(char c, char name) {
  const uint16_t bits = kNamed[byte(name)];
  if (bits == 0) return c == name;
  return ((kClasses[byte(c)] & bits) != 0) == (name >= 'a');
}

// `set` is behind '[', `last` at its ']'.
bool isIn(char c, const char* set, const char* last) {
  const bool in = *set != '^';
  for (set += in ? 0 : 1; set < last; ++set) {
    if (*set == '%') {
      if (isOf(c, *++set)) return in;
    } else if (set[1] == '-' && set + 2 < last) {
      if (byte(set[0]) <= byte(c) && byte(c) <= byte(set[2])) return in;
      set += 2;
    } else if (*set == c) {
      return in;
    }
  }
  return !in;
}

bool isSpecial(char c) {
  return (kClasses[byte(c)] & kSpecial) != 0;
}

}  // namespace

bool isPlain(std::string_view pattern) {
  return std::none_of(pattern.begin(), pattern.end(), isSpecial);
}

char Matcher::firstOf(const char* pattern) {
  const char c = pattern[0];
  if (c == '\0' || c == ')' || (isSpecial(c) && c != '^' && c != '-' && c != '*' && c != '+' && c != '?')) return '\0';
  const char next = pattern[1];
  return next == '*' || next == '?' || next == '-' ? '\0' : c;
}

void Matcher::settle() {
  const size_t steps = steps_;
  steps_ = 0;
  spend_(owner_, steps);
}

const char* Matcher::search(const char*& at) {
  for (; at <= end_; ++at) {
    if (first_ != '\0') {
      const char* const from = at;
      at = static_cast<const char*>(std::memchr(from, first_, end_ - from));
      step(((at != nullptr ? at : end_) - from) / 16);
      if (at == nullptr) return nullptr;
    }
    const char* const to = match(at);
    if (to != nullptr || fault_ != nullptr) return to;
  }
  return nullptr;
}

const char* Matcher::match(const char* at) {
  const char* p = pattern_;
  captures_ = choices_ = 0;
  while (true) {
    step(1);
    switch (take(at, p)) {
      case Then::kGoesOn:
        break;
      case Then::kBack:
        if (!retry(at, p)) return nullptr;
        break;
      case Then::kMatched:
        return at;
      case Then::kFault:
        return nullptr;
    }
  }
}

// One step of the pattern.
inline Matcher::Then Matcher::take(const char*& at, const char*& p) {
  switch (*p) {
    case '\0':
      return Then::kMatched;
    case '(':
      return open(at, p);
    case ')':
      return close(at, p);
    case '$':
      if (p[1] != '\0') break;
      return at == end_ ? Then::kMatched : Then::kBack;
    case '%':
      if (p[1] == 'b') return balance(at, p);
      if (p[1] == 'f') return frontier(at, p);
      if (p[1] >= '0' && p[1] <= '9') return repeat(at, p);
      break;
    default:
      break;
  }
  return takeItem(at, p);
}

// A character or class, and how often.
inline Matcher::Then Matcher::takeItem(const char*& at, const char*& p) {
  const char* const item = p;
  const char* const next = itemEnd(item);
  if (next == nullptr) return Then::kFault;
  const uint32_t item_at = static_cast<uint32_t>(item - pattern_);
  switch (*next) {
    case '?':
      p = next + 1;
      if (!isAt(at, item, next)) return Then::kGoesOn;
      return push(Retry::kSkip, at++, p, 0);
    case '-':
      p = next + 1;
      return push(Retry::kMore, at, p, item_at);
    case '+':
    case '*': {
      p = next + 1;
      if (*next == '+' && !isAt(at++, item, next)) return Then::kBack;
      const uint32_t least = static_cast<uint32_t>(at - begin_);
      at = behindAll(at, item, next);
      return push(Retry::kFewer, at, p, least);
    }
    default:
      if (!isAt(at, item, next)) return Then::kBack;
      ++at;
      p = next;
      return Then::kGoesOn;
  }
}

// Behind as many as there are.
const char* Matcher::behindAll(const char* at, const char* item, const char* next) {
  switch (*item) {
    case '.':
      return end_;
    case '%':
      return behindAll(at, 1, [name = item[1]](char c) { return isOf(c, name); });
    case '[':
      return behindAll(at, 1 + (next - item) / 8, [item, next](char c) { return isIn(c, item + 1, next - 1); });
    default:
      return behindAll(at, 1, [item](char c) { return c == *item; });
  }
}

template <typename Is>
inline const char* Matcher::behindAll(const char* at, size_t cost, Is is) {
  while (at != end_) {
    const char* const from = at;
    const char* const stop = from + std::min<size_t>(end_ - from, 1 + kBatch / cost);
    while (at != stop && is(*at)) ++at;
    step((at - from) * cost);
    if (at != stop) break;
  }
  return at;
}

// Back to the last choice that has another way. False: none has.
bool Matcher::retry(const char*& at, const char*& p) {
  while (choices_ > 0) {
    Choice& choice = stack_[choices_ - 1];
    at = begin_ + choice.at;
    p = pattern_ + choice.next;
    switch (choice.retry) {
      case Retry::kFewer:
        if (choice.at == choice.other) break;
        --choice.at;
        --at;
        return true;
      case Retry::kMore:
        if (!isAt(at, pattern_ + choice.other, p - 1)) break;
        ++choice.at;
        ++at;
        return true;
      case Retry::kSkip:
        --choices_;
        return true;
      case Retry::kUnopen:
        --captures_;
        break;
      case Retry::kUnclose:
        list_[choice.other].length = Capture::kOpen;
        break;
    }
    --choices_;
  }
  return false;
}

inline Matcher::Then Matcher::push(Retry retry, const char* at, const char* next, uint32_t other) {
  if (choices_ == kMostChoices) return fail("pattern too complex");
  stack_[choices_++] = {static_cast<uint32_t>(at - begin_), other, static_cast<uint32_t>(next - pattern_), retry};
  return Then::kGoesOn;
}

Matcher::Then Matcher::open(const char* at, const char*& p) {
  if (captures_ == kMostCaptures) return fail("too many captures");
  const bool position = p[1] == ')';
  list_[captures_++] = {at, position ? Capture::kPosition : Capture::kOpen};
  p += position ? 2 : 1;
  return push(Retry::kUnopen, at, p, 0);
}

Matcher::Then Matcher::close(const char* at, const char*& p) {
  int last = captures_ - 1;
  while (last >= 0 && list_[last].length != Capture::kOpen) --last;
  if (last < 0) return fail("invalid pattern capture");
  list_[last].length = at - list_[last].begin;
  return push(Retry::kUnclose, at, ++p, static_cast<uint32_t>(last));
}

// %bxy
Matcher::Then Matcher::balance(const char*& at, const char*& p) {
  const char left = p[2];
  const char right = left == '\0' ? '\0' : p[3];
  if (right == '\0') return fail("unbalanced pattern");
  if (at == end_ || *at != left) return Then::kBack;
  size_t depth = 1;
  for (const char* c = at + 1; c != end_; ++c) {
    step(1);
    if (*c == right) {
      if (--depth != 0) continue;
      at = c + 1;
      p += 4;
      return Then::kGoesOn;
    }
    if (*c == left) ++depth;
  }
  return Then::kBack;
}

// %f[set]
Matcher::Then Matcher::frontier(const char* at, const char*& p) {
  const char* const set = p + 2;
  if (*set != '[') return fail("missing '[' after '%f' in pattern");
  const char* const next = itemEnd(set);
  if (next == nullptr) return Then::kFault;
  step((next - set) / 4);
  const char before = at == begin_ ? '\0' : at[-1];
  const char here = at == end_ ? '\0' : *at;
  if (isIn(before, set + 1, next - 1) || !isIn(here, set + 1, next - 1)) return Then::kBack;
  p = next;
  return Then::kGoesOn;
}

// %1
Matcher::Then Matcher::repeat(const char*& at, const char*& p) {
  const int index = p[1] - '1';
  if (index < 0 || index >= captures_ || list_[index].length == Capture::kOpen) return fail("invalid capture index");
  const Capture& capture = list_[index];
  // As in LuaJIT, where a position is longer than all that can follow.
  if (capture.length < 0 || capture.length > end_ - at) return Then::kBack;
  step(capture.length / 16);
  if (std::memcmp(at, capture.begin, capture.length) != 0) return Then::kBack;
  at += capture.length;
  p += 2;
  return Then::kGoesOn;
}

// Behind a character, a class or a set.
inline const char* Matcher::itemEnd(const char* p) {
  if (*p == '%') {
    if (p[1] != '\0') return p + 2;
    fail("malformed pattern (ends with '%')");
    return nullptr;
  }
  if (*p++ != '[') return p;
  const char* const set = p;
  if (*p == '^') ++p;
  for (bool first = true; first || *p != ']'; first = false) {  // the first may be ']'
    if (*p == '\0') {
      fail("malformed pattern (missing ']')");
      return nullptr;
    }
    p += p[0] == '%' && p[1] != '\0' ? 2 : 1;
  }
  step((p - set) / 8);
  return p + 1;
}

inline bool Matcher::isAt(const char* at, const char* item, const char* next) {
  if (at == end_) return false;
  switch (*item) {
    case '.':
      step(1);
      return true;
    case '%':
      step(1);
      return isOf(*at, item[1]);
    case '[':
      step(1 + (next - item) / 8);
      return isIn(*at, item + 1, next - 1);
    default:
      step(1);
      return *at == *item;
  }
}

}  // namespace sluice::extensions::http_filters::lua
