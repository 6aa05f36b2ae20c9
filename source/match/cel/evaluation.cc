#include <array>

#include "source/match/cel/compare.h"
#include "source/match/cel/program.h"

namespace sluice::match::cel {

using Kind = Value::Kind;

// One evaluation. Recurses as deep as the expression, which is bounded when it is compiled.
class Evaluation {
 public:
  Evaluation(const Program& program, const Source& source, Memory& memory)
      : program_(program), source_(source), memory_(memory) {}

  Value of(uint32_t index) {
    if (!memory_.spend(1)) return Value::error(why::kSteps);
    const Step& step = program_.steps_[index];
    switch (step.code) {
      case Code::kConstant:
        return step.constant;
      case Code::kAttribute:
        return source_.attribute(step.number, memory_).value_or(Value::error(why::kNoAttribute));
      case Code::kHasAttribute:
        return isThere(source_.attribute(step.number, memory_));
      case Code::kVariable:
        return variables_[step.number];
      case Code::kSelect:
      case Code::kHas:
        return select(step);
      case Code::kAnd:
        return logical(step, false);
      case Code::kOr:
        return logical(step, true);
      case Code::kConditional:
        return conditional(step);
      case Code::kNotFalse: {
        const Value value = part(step, 0);
        return Value::boolean(!value.is(Kind::kBool) || value.asBool());
      }
      case Code::kCall:
        return call(step);
      case Code::kList:
        return list(step);
      case Code::kMap:
        return map(step);
      case Code::kFold:
        return fold(step);
    }
    return Value::error(why::kNoOverload);
  }

 private:
  using Code = Program::Code;
  using Step = Program::Step;

  Value part(const Step& step, size_t index) { return of(program_.parts_[step.first + index]); }

  Value select(const Step& step) {
    const Value operand = part(step, 0);
    if (operand.isError()) return operand;
    if (!operand.is(Kind::kMap)) return Value::error(why::kNoOverload);
    const auto found = operand.asMap().find(step.constant, memory_);
    if (step.code == Code::kHas) return isThere(found);
    return found ? *found : Value::error(why::kNoKey);
  }

  // One operand that is `decisive` decides, wherever it stands; without one, an error is the value.
  Value logical(const Step& step, bool decisive) {
    Value out = Value::boolean(!decisive);
    for (size_t i = 0; i < step.count; ++i) {
      const Value value = part(step, i);
      if (value.is(Kind::kBool)) {
        if (value.asBool() == decisive) return value;
      } else if (!out.isError()) {
        out = value.isError() ? value : Value::error(why::kNoOverload);
      }
    }
    return out;
  }

  Value conditional(const Step& step) {
    const Value condition = part(step, 0);
    if (condition.isError()) return condition;
    if (!condition.is(Kind::kBool)) return Value::error(why::kNoOverload);
    return part(step, condition.asBool() ? 1 : 2);
  }

  Value call(const Step& step) {
    std::array<Value, kMaxArguments> values;
    for (size_t i = 0; i < step.count; ++i) {
      values[i] = part(step, i);
      if (values[i].isError()) return values[i];
    }
    return step.function->call({memory_, values.data(), step.count, step.regex, step.zone});
  }

  // All parts, or an error in `failed`; null after one.
  Value* parts(const Step& step, Value& failed) {
    Value* const values = memory_.allocateArray<Value>(step.count);
    if (values == nullptr) failed = Value::error(why::kMemory);
    for (size_t i = 0; values != nullptr && i < step.count; ++i) {
      values[i] = part(step, i);
      if (!values[i].isError()) continue;
      failed = values[i];
      return nullptr;
    }
    return values;
  }

  Value list(const Step& step) {
    Value failed;
    Value* const values = parts(step, failed);
    return values == nullptr ? failed : ArrayList::of(values, step.count, memory_);
  }

  Value map(const Step& step) {
    Value failed;
    const Value* const values = parts(step, failed);
    if (values == nullptr) return failed;
    for (size_t i = 0; i < step.count; i += 2) {
      const Kind kind = values[i].kind();
      if (kind != Kind::kBool && kind != Kind::kInt && kind != Kind::kUint && kind != Kind::kString) {
        return Value::error("a key is of a type that keys cannot have");
      }
      for (size_t j = 0; j < i; j += 2) {
        const Value same = equals(values[i], values[j], memory_);
        if (same.isError()) return same;
        if (same.asBool()) return Value::error("a key stands twice in a map");
      }
    }
    return Value::map(memory_.make<EntryMap>(values, step.count / 2));
  }

  Value fold(const Step& step) {
    Value range = part(step, kRange);
    if (range.is(Kind::kMap)) range = range.asMap().keys(memory_);
    if (range.isError()) return range;
    if (!range.is(Kind::kList)) return Value::error(why::kNoOverload);
    const List& elements = range.asList();
    variables_[step.number + 1] = part(step, kInit);
    for (size_t i = 0; i < elements.size(); ++i) {
      variables_[step.number] = elements.at(i, memory_);
      const Value condition = part(step, kCondition);
      if (condition.isError()) return condition;
      if (!condition.is(Kind::kBool)) return Value::error(why::kNoOverload);
      if (!condition.asBool()) break;
      variables_[step.number + 1] = part(step, kStep);
    }
    return part(step, kResult);
  }

  const Program& program_;
  const Source& source_;
  Memory& memory_;
  std::array<Value, 2 * Program::kMaxFolds> variables_;
};

Value Program::evaluate(const Source& source, Memory& memory) const {
  return Evaluation(*this, source, memory).of(root_);
}

bool Program::holds(const Source& source, Limits limits) const {
  Memory memory(limits.bytes, limits.steps);
  return evaluate(source, memory).isTrue();
}

}  // namespace sluice::match::cel
