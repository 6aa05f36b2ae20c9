// An expression of the Common Expression Language, compiled. (https://github.com/cel-expr/cel-spec, langdef)
//
// Compiled on main from text or from a tree, immutable, shared by all workers. Names, functions and their numbers of
// arguments are checked then; regular expressions and time zones that stand there as literals are made then. Evaluating
// takes a bounded number of steps and bounded memory: above them the result is an error. A small condition allocates
// nothing on the heap.
//
//   auto program = Program::compile("request.path.startsWith('/api') && !has(request.headers.cookie)", vocabulary);
//   if ((*program)->holds(source)) ...
#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "source/match/cel/ast.h"
#include "source/match/cel/functions.h"
#include "source/match/cel/value.h"

namespace sluice::match::cel {

// What expressions may name: "request.path", or "metadata", of which everything is asked by select. The number of one
// is its index.
struct Attribute {
  std::string_view name;
  Value::Kind kind;
};

struct Vocabulary {
  std::span<const Attribute> attributes;
  std::span<const std::string_view> missing;  // names that others know and that have no value here: refused as such
};

// What attributes are read from, lazily: only what an evaluation comes to.
class Source {
 public:
  virtual ~Source() = default;
  // Nothing: absent. Borrowed until the evaluation is over.
  virtual std::optional<Value> attribute(uint16_t number, Memory& memory) const = 0;
};

// What one evaluation may spend.
struct Limits {
  size_t bytes = 1 << 20;  // on the heap
  size_t steps = 100'000;
};

class Program {
 public:
  using Ptr = std::shared_ptr<const Program>;

  // Errors of texts begin with "LINE:COLUMN: ". The names of `vocabulary` are used here only.
  static absl::StatusOr<Ptr> compile(std::string_view text, const Vocabulary& vocabulary);
  static absl::StatusOr<Ptr> compile(Ast ast, const Vocabulary& vocabulary);

  // Borrows from `source`, `memory` and the program.
  Value evaluate(const Source& source, Memory& memory) const;

  // True if the value is true: not for errors and values of other types.
  bool holds(const Source& source, Limits limits = {}) const;

  // Of the value, where it is certain: conditions have to be bools. Nothing: it depends.
  std::optional<Value::Kind> kind() const { return kind_; }

 private:
  friend class Compiler;
  friend class Evaluation;

  enum class Code : uint8_t {
    kConstant,
    kAttribute,     // `number`
    kVariable,      // `number`: its slot
    kSelect,        // parts[0], `constant`
    kHas,           // the same
    kHasAttribute,  // `number`
    kAnd,           // parts
    kOr,            // parts
    kConditional,   // condition, yes, no
    kNotFalse,      // parts[0]: false only if that is false
    kCall,          // `function`
    kList,          // parts
    kMap,           // keys and values in turn
    kFold,          // parts as Fold, `number`: the slot of the element, before that of the accumulator
  };
  struct Step {
    Code code = Code::kConstant;
    uint16_t number = 0;
    uint32_t first = 0, count = 0;  // in parts_
    Value constant;
    const Function* function = nullptr;
    const re2::RE2* regex = nullptr;
    const absl::TimeZone* zone = nullptr;
  };
  // Of loops, one in the other.
  static constexpr size_t kMaxFolds = 8;

  Program() = default;

  std::vector<Step> steps_;
  std::vector<uint32_t> parts_;
  uint32_t root_ = 0;
  std::optional<Value::Kind> kind_;
  std::vector<std::unique_ptr<const std::string>> texts_;
  std::vector<std::unique_ptr<const re2::RE2>> regexes_;
  std::vector<std::unique_ptr<const absl::TimeZone>> zones_;
};

}  // namespace sluice::match::cel
