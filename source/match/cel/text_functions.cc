#include "source/match/cel/text_functions.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "source/base/text.h"
#include "source/base/utf8.h"

namespace sluice::match::cel {
namespace {

using Kind = Value::Kind;

// A pattern that is computed is compiled for one use: short ones only, and dear. A client may have written it, so it
// pays for all instructions of its program, and for all of them at each byte: that is what matching costs at worst.
constexpr size_t kMaxComputedPattern = 256;
constexpr size_t kComputedPatternSteps = 2000;
constexpr size_t kInstructionsInStep = 32;

bool areStrings(const Arguments& args) {
  return std::all_of(args.values, args.values + args.size, [](const Value& value) { return value.is(Kind::kString); });
}

bool spendBytes(Memory& memory, size_t bytes) {
  return memory.spend(bytes / Memory::kStepBytes);
}

// Where `part` begins in `text`. In linear time, other than string_view::find: a client may have written both.
size_t find(std::string_view text, std::string_view part) {
  if (part.empty()) return 0;
  if (part.size() > text.size()) return std::string_view::npos;
  const void* const found = ::memmem(text.data(), text.size(), part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

template <typename Test>
Value test(const Arguments& args, Test holds) {
  if (!areStrings(args)) return noOverload();
  if (!spendBytes(args.memory, args[0].text().size())) return Value::error(why::kSteps);
  return Value::boolean(holds(args[0].text(), args[1].text()));
}

// A copy of the text in which each byte is what `map` makes of it.
template <typename Map>
Value mapped(const Arguments& args, Map map) {
  if (!areStrings(args)) return noOverload();
  const std::string_view text = args[0].text();
  if (!spendBytes(args.memory, text.size())) return Value::error(why::kSteps);
  char* const out = args.memory.allocate(text.size());
  if (out == nullptr) return Value::error(why::kMemory);
  std::transform(text.begin(), text.end(), out, [map](char c) { return map(static_cast<unsigned char>(c)); });
  return Value::string({out, text.size()});
}

// How often something is done at most: an int behind the strings; negative or none: always.
std::optional<size_t> limitAt(const Arguments& args, size_t index) {
  if (args.size <= index) return SIZE_MAX;
  if (!args[index].is(Kind::kInt)) return std::nullopt;
  return args[index].asInt() < 0 ? SIZE_MAX : static_cast<size_t>(args[index].asInt());
}

// The end of the next `separator` in `text`, which stands where `found` says; for an empty one, behind each character.
size_t findNext(std::string_view text, std::string_view separator) {
  if (!separator.empty()) return find(text, separator);
  const size_t first = text.empty() ? 0 : std::max<size_t>(1, base::utf8Length(text));
  return first < text.size() ? first : std::string_view::npos;
}

// Calls `piece` with what stands between separators, `limit` pieces at most.
template <typename Piece>
void eachPiece(std::string_view text, std::string_view separator, size_t limit, Piece piece) {
  for (size_t count = 1; count < limit; ++count) {
    const size_t found = findNext(text, separator);
    if (found == std::string_view::npos) break;
    piece(text.substr(0, found));
    text.remove_prefix(found + separator.size());
  }
  piece(text);
}

// Texts one behind the other, counted first and then written.
class Concat {
 public:
  explicit Concat(char* out) : out_(out) {}
  void operator()(std::string_view piece) {
    if (out_ != nullptr && !piece.empty()) std::memcpy(out_ + size_, piece.data(), piece.size());
    size_ += piece.size();
  }
  size_t size() const { return size_; }

 private:
  char* const out_;  // null: only counted
  size_t size_ = 0;
};

// `write` is called twice with a Concat and does the same both times.
template <typename Write>
Value concat(Memory& memory, Write write) {
  Concat counted(nullptr);
  write(counted);
  if (!spendBytes(memory, counted.size())) return Value::error(why::kSteps);
  char* const out = memory.allocate(counted.size());
  if (out == nullptr) return Value::error(why::kMemory);
  Concat written(out);
  write(written);
  return Value::string({out, counted.size()});
}

}  // namespace

Value joined(const Value& a, const Value& b, Memory& memory) {
  const Value out = concat(memory, [&](Concat& to) {
    to(a.text());
    to(b.text());
  });
  return out.isError() || a.is(Kind::kString) ? out : Value::bytes(out.text());
}

namespace text {

Value contains(const Arguments& args) {
  return test(args,
              [](std::string_view text, std::string_view part) { return find(text, part) != std::string_view::npos; });
}
Value startsWith(const Arguments& args) {
  return test(args, [](std::string_view text, std::string_view part) { return text.starts_with(part); });
}
Value endsWith(const Arguments& args) {
  return test(args, [](std::string_view text, std::string_view part) { return text.ends_with(part); });
}

// Anywhere in the text.
Value matches(const Arguments& args) {
  if (!areStrings(args)) return noOverload();
  const re2::StringPiece value(args[0].text().data(), args[0].text().size());
  if (!spendBytes(args.memory, value.size())) return Value::error(why::kSteps);
  if (args.regex != nullptr) return Value::boolean(re2::RE2::PartialMatch(value, *args.regex));
  const std::string_view pattern = args[1].text();
  if (pattern.size() > kMaxComputedPattern) return Value::error("a computed pattern is too long");
  if (!args.memory.spend(kComputedPatternSteps)) return Value::error(why::kSteps);
  const re2::RE2 regex(re2::StringPiece(pattern.data(), pattern.size()), regexOptions());
  if (!regex.ok()) return Value::error("the pattern is no regular expression");
  const auto instructions = static_cast<size_t>(regex.ProgramSize());
  if (!args.memory.spend(instructions + instructions * value.size() / kInstructionsInStep)) {
    return Value::error(why::kSteps);
  }
  return Value::boolean(re2::RE2::PartialMatch(value, regex));
}

Value lowerAscii(const Arguments& args) {
  return mapped(args, [](unsigned char c) { return absl::ascii_tolower(c); });
}
Value upperAscii(const Arguments& args) {
  return mapped(args, [](unsigned char c) { return absl::ascii_toupper(c); });
}

Value trim(const Arguments& args) {
  if (!areStrings(args)) return noOverload();
  return Value::string(base::toStd(absl::StripAsciiWhitespace(base::toAbsl(args[0].text()))));
}

// `to` in front of the first `limit` characters; the end of the text counts as one.
Value interspersed(Memory& memory, std::string_view text, std::string_view to, size_t limit) {
  return concat(memory, [&](Concat& out) {
    std::string_view rest = text;
    for (size_t count = 0; count < limit; ++count) {
      out(to);
      if (rest.empty()) return;
      const size_t size = std::max<size_t>(1, base::utf8Length(rest));
      out(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    out(rest);
  });
}

Value replace(const Arguments& args) {
  const auto limit = limitAt(args, 3);
  if (!limit || !areStrings({args.memory, args.values, 3})) return noOverload();
  const std::string_view text = args[0].text(), from = args[1].text(), to = args[2].text();
  if (!spendBytes(args.memory, 2 * text.size())) return Value::error(why::kSteps);
  if (from.empty()) return interspersed(args.memory, text, to, *limit);
  const size_t pieces = *limit == SIZE_MAX ? SIZE_MAX : *limit + 1;
  return concat(args.memory, [&](Concat& out) {
    bool first = true;
    eachPiece(text, from, pieces, [&](std::string_view piece) {
      if (!std::exchange(first, false)) out(to);
      out(piece);
    });
  });
}

Value split(const Arguments& args) {
  const auto limit = limitAt(args, 2);
  if (!limit || !areStrings({args.memory, args.values, 2})) return noOverload();
  const std::string_view text = args[0].text(), separator = args[1].text();
  size_t count = 0;
  if (*limit != 0) eachPiece(text, separator, *limit, [&count](std::string_view) { ++count; });
  if (!args.memory.spend(count + text.size() / Memory::kStepBytes)) return Value::error(why::kSteps);
  Value* const pieces = args.memory.allocateArray<Value>(count);
  if (count != 0 && pieces != nullptr) {
    size_t at = 0;
    eachPiece(text, separator, *limit, [&](std::string_view piece) { pieces[at++] = Value::string(piece); });
  }
  return ArrayList::of(pieces, count, args.memory);
}

Value join(const Arguments& args) {
  if (!args[0].is(Kind::kList) || (args.size == 2 && !args[1].is(Kind::kString))) return noOverload();
  const List& list = args[0].asList();
  const std::string_view separator = args.size == 2 ? args[1].text() : std::string_view();
  if (!args.memory.spend(list.size())) return Value::error(why::kSteps);
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list.at(i, args.memory).is(Kind::kString)) return noOverload();
  }
  return concat(args.memory, [&](Concat& out) {
    for (size_t i = 0; i < list.size(); ++i) {
      if (i != 0) out(separator);
      out(list.at(i, args.memory).text());
    }
  });
}

}  // namespace text

}  // namespace sluice::match::cel
