#include <algorithm>
#include <utility>

#include "source/base/text.h"
#include "source/match/cel/lexer.h"
#include "source/match/cel/parser.h"
#include "source/match/cel/program.h"
#include "source/match/cel/time.h"

namespace sluice::match::cel {

using Kind = Value::Kind;
using Made = absl::StatusOr<uint32_t>;

// From the tree to steps. Recurses as deep as the tree, which is bounded here: not every tree comes from the parser.
class Compiler {
 public:
  Compiler(const Ast& ast, const Vocabulary& vocabulary) : ast_(ast), vocabulary_(vocabulary), out_(new Program()) {}

  absl::StatusOr<Program::Ptr> run() {
    const Made root = make(ast_.root);
    if (!root.ok()) return root.status();
    out_->root_ = *root;
    out_->kind_ = kindOf(out_->steps_[*root]);
    return Program::Ptr(std::move(out_));
  }

 private:
  using Code = Program::Code;
  using Step = Program::Step;
  struct Variable {
    std::string_view name;
    uint16_t slot;
  };

  absl::Status fail(const Node& node, std::string_view message) const {
    if (ast_.source.empty()) return absl::InvalidArgumentError(base::toAbsl(message));
    return errorAt(ast_.source, node.offset, message);
  }

  Made make(NodeId id) {
    const Node& node = ast_.nodes[id];
    if (++depth_ > Ast::kMaxDepth) {
      return fail(node, base::strCat("the expression is nested more than ", Ast::kMaxDepth, " levels deep"));
    }
    Made out = makeNode(node);
    --depth_;
    return out;
  }

  Made makeNode(const Node& node) {
    switch (node.kind) {
      case Node::Kind::kConstant:
        return add({.code = Code::kConstant, .constant = valueOf(node.constant)});
      case Node::Kind::kIdent:
        return ident(node);
      case Node::Kind::kSelect:
      case Node::Kind::kHas:
        return select(node);
      case Node::Kind::kCall:
        return call(node);
      case Node::Kind::kList:
        return withParts({.code = Code::kList}, node.parts);
      case Node::Kind::kMap:
        return map(node);
      case Node::Kind::kFold:
        return fold(node);
    }
    return fail(node, "is no expression");
  }

  // --- steps ---------------------------------------------------------------------------------------------------------

  uint32_t add(Step step) {
    out_->steps_.push_back(step);
    return static_cast<uint32_t>(out_->steps_.size() - 1);
  }

  uint32_t addWith(Step step, const std::vector<uint32_t>& parts) {
    step.first = static_cast<uint32_t>(out_->parts_.size());
    step.count = static_cast<uint32_t>(parts.size());
    out_->parts_.insert(out_->parts_.end(), parts.begin(), parts.end());
    return add(step);
  }

  Made withParts(Step step, const std::vector<NodeId>& nodes) {
    std::vector<uint32_t> parts;
    for (const NodeId id : nodes) {
      const Made part = make(id);
      if (!part.ok()) return part;
      parts.push_back(*part);
    }
    return addWith(step, parts);
  }

  std::string_view keep(std::string text) {
    return *out_->texts_.emplace_back(std::make_unique<const std::string>(std::move(text)));
  }

  Value valueOf(const Constant& constant) {
    struct Visitor {
      Compiler& compiler;
      Value operator()(std::monostate) const { return Value::null(); }
      Value operator()(bool value) const { return Value::boolean(value); }
      Value operator()(int64_t value) const { return Value::integer(value); }
      Value operator()(uint64_t value) const { return Value::unsignedInteger(value); }
      Value operator()(double value) const { return Value::real(value); }
      Value operator()(const std::string& value) const { return Value::string(compiler.keep(value)); }
      Value operator()(const Bytes& value) const { return Value::bytes(compiler.keep(value.value)); }
    };
    return std::visit(Visitor{*this}, constant);
  }

  // What a step's value certainly is, if it is no error.
  std::optional<Kind> kindOf(const Step& step) const {
    switch (step.code) {
      case Code::kConstant:
        return step.constant.kind();
      case Code::kAttribute:
        return vocabulary_.attributes[step.number].kind;
      case Code::kHas:
      case Code::kHasAttribute:
      case Code::kAnd:
      case Code::kOr:
      case Code::kNotFalse:
        return Kind::kBool;
      case Code::kList:
        return Kind::kList;
      case Code::kMap:
        return Kind::kMap;
      default:
        return std::nullopt;
    }
  }

  // --- names ---------------------------------------------------------------------------------------------------------

  const Variable* variable(std::string_view name) const {
    const auto found =
        std::find_if(scope_.rbegin(), scope_.rend(), [name](const Variable& known) { return known.name == name; });
    return found == scope_.rend() ? nullptr : &*found;
  }

  // "a.b.c" of selects that begin with a name that is no variable; empty for others.
  std::string qualified(const Node& node) const {
    if (node.kind == Node::Kind::kIdent) {
      if (variable(node.name) != nullptr) return {};
      return node.name.starts_with('.') ? node.name.substr(1) : node.name;
    }
    if (node.kind == Node::Kind::kCall && node.name == "_[_]" && node.parts.size() == 2) {
      const Node& key = ast_.nodes[node.parts[1]];
      const auto* name = std::get_if<std::string>(&key.constant);
      const Node& operand = ast_.nodes[node.parts[0]];
      if (key.kind != Node::Kind::kConstant || name == nullptr || operand.kind != Node::Kind::kIdent) return {};
      return dotted(operand, *name);
    }
    if (node.kind != Node::Kind::kSelect && node.kind != Node::Kind::kHas) return {};
    // No name has more than three parts: deeper ones need not be looked at.
    const Node* root = &ast_.nodes[node.parts[0]];
    for (int i = 0; i < 2 && root->kind == Node::Kind::kSelect; ++i) root = &ast_.nodes[root->parts[0]];
    if (root->kind != Node::Kind::kIdent) return {};
    return dotted(ast_.nodes[node.parts[0]], node.name);
  }

  std::string dotted(const Node& operand, const std::string& name) const {
    const std::string root = qualified(operand);
    return root.empty() ? root : base::strCat(root, ".", name);
  }

  std::optional<uint16_t> attribute(std::string_view name) const {
    const auto& known = vocabulary_.attributes;
    const auto found = std::find_if(known.begin(), known.end(), [name](const Attribute& a) { return a.name == name; });
    if (found == known.end()) return std::nullopt;
    return static_cast<uint16_t>(found - known.begin());
  }

  // Whether names of attributes go on behind `name`.
  bool isRoot(std::string_view name) const {
    const auto goes_on = [name](std::string_view known) {
      return known.size() > name.size() && known.starts_with(name) && known[name.size()] == '.';
    };
    return std::any_of(vocabulary_.attributes.begin(), vocabulary_.attributes.end(),
                       [&](const Attribute& known) { return goes_on(known.name); }) ||
           std::any_of(vocabulary_.missing.begin(), vocabulary_.missing.end(), goes_on);
  }

  // The step of a name that is known as a whole; nothing if it is none.
  std::optional<Step> named(const std::string& name) const {
    if (name.empty()) return std::nullopt;
    if (const auto number = attribute(name)) return Step{.code = Code::kAttribute, .number = *number};
    if (const auto type = typeOf(name)) return Step{.code = Code::kConstant, .constant = Value::type(*type)};
    return std::nullopt;
  }

  absl::Status unknown(const Node& node, std::string_view name) const {
    const auto& missing = vocabulary_.missing;
    if (std::find(missing.begin(), missing.end(), name) != missing.end()) {
      return fail(node, base::strCat("attribute '", name, "' is not supported here; remove it"));
    }
    const std::string_view root = name.substr(0, name.find('.'));
    std::string known;
    for (const Attribute& attribute : vocabulary_.attributes) {
      if (!isRoot(root)) break;
      if (attribute.name.starts_with(root)) known += (known.empty() ? "" : ", ") + std::string(attribute.name);
    }
    if (known.empty()) {
      for (const Attribute& attribute : vocabulary_.attributes) {
        const std::string_view first = attribute.name.substr(0, attribute.name.find('.'));
        if (known.ends_with(first)) continue;
        known += (known.empty() ? "" : ", ") + std::string(first);
      }
    }
    const std::string_view what = name == root && isRoot(root) ? "' is no value by itself" : "' is unknown";
    if (known.empty()) return fail(node, base::strCat("'", name, what));
    return fail(node, base::strCat("'", name, what, "; there are ", known));
  }

  Made ident(const Node& node) {
    if (const Variable* found = variable(node.name)) return add({.code = Code::kVariable, .number = found->slot});
    const std::string name = qualified(node);
    const auto step = named(name);
    if (!step) return unknown(node, name);
    return add(*step);
  }

  Made select(const Node& node) {
    const bool has = node.kind == Node::Kind::kHas;
    const std::string name = qualified(node);
    if (auto step = named(name)) {
      if (!has) return add(*step);
      if (step->code == Code::kAttribute) return add({.code = Code::kHasAttribute, .number = step->number});
    }
    // "request.x", where "request" is nothing by itself
    const std::string operand = qualified(ast_.nodes[node.parts[0]]);
    if (!operand.empty() && !named(operand) && isRoot(operand)) return unknown(node, name);
    return withParts({.code = has ? Code::kHas : Code::kSelect, .constant = Value::string(keep(node.name))},
                     node.parts);
  }

  // --- calls ---------------------------------------------------------------------------------------------------------

  Made call(const Node& node) {
    if (node.name == "_&&_" || node.name == "_||_") return logical(node);
    if (node.name == "_?_:_" && node.parts.size() == 3) {
      const Made out = withParts({.code = Code::kConditional}, node.parts);
      return out.ok() ? checkBools(node, *out, 1) : out;
    }
    if ((node.name == "@not_strictly_false" || node.name == "__not_strictly_false__") && node.parts.size() == 1) {
      return withParts({.code = Code::kNotFalse}, node.parts);
    }
    if (const auto step = node.name == "_[_]" ? named(qualified(node)) : std::nullopt) return add(*step);
    const Function* function = findFunction(node.name, node.has_target, node.parts.size());
    if (function == nullptr) return unknownFunction(node);
    const Made out = withParts({.code = Code::kCall, .function = function}, node.parts);
    if (!out.ok()) return out;
    if (absl::Status status = bindLiteral(node, out_->steps_[*out]); !status.ok()) return status;
    return checkConstants(node, *out);
  }

  absl::Status unknownFunction(const Node& node) const {
    const size_t count = node.parts.size() - (node.has_target ? 1 : 0);
    if (!isFunctionName(node.name)) return fail(node, base::strCat("there is no function ", node.name, "()"));
    return fail(node, base::strCat("function ", node.name, "() is not called with ", count, " arguments ",
                                   node.has_target ? "of a value" : "without a value in front"));
  }

  Made logical(const Node& node) {
    if (node.parts.size() < 2) return fail(node, base::strCat(node.name, " needs two operands"));
    const Made out = withParts({.code = node.name == "_&&_" ? Code::kAnd : Code::kOr}, node.parts);
    return out.ok() ? checkBools(node, *out, node.parts.size()) : out;
  }

  const Step& part(const Step& step, size_t index) const { return out_->steps_[out_->parts_[step.first + index]]; }

  // The first `count` parts have to be bools, as far as it is known what they are.
  Made checkBools(const Node& node, uint32_t made, size_t count) const {
    for (size_t i = 0; i < count; ++i) {
      const auto kind = kindOf(part(out_->steps_[made], i));
      if (kind && *kind != Kind::kBool) {
        return fail(ast_.nodes[node.parts[i]], base::strCat("expected a bool, this is a ", nameOf(*kind)));
      }
    }
    return made;
  }

  // A call of literals that no type fits is a mistake, whatever is looked at.
  Made checkConstants(const Node& node, uint32_t made) const {
    const Step& step = out_->steps_[made];
    std::array<Value, kMaxArguments> values;
    for (size_t i = 0; i < step.count; ++i) {
      if (part(step, i).code != Code::kConstant) return made;
      values[i] = part(step, i).constant;
    }
    Memory memory(size_t{1} << 20, 100'000);
    const Value value = step.function->call({memory, values.data(), step.count, step.regex, step.zone});
    if (!value.isError() || value.text() != why::kNoOverload) return made;
    std::string types;
    for (size_t i = 0; i < step.count; ++i) types += (i == 0 ? "" : ", ") + std::string(nameOf(values[i].kind()));
    return fail(node, base::strCat(node.name, " does not take (", types, ")"));
  }

  absl::Status bindLiteral(const Node& node, Step& step) {
    if (step.function->literal == Function::Literal::kNone) return absl::OkStatus();
    const Step& last = part(step, step.count - 1);
    if (last.code != Code::kConstant || !last.constant.is(Kind::kString)) return absl::OkStatus();
    const std::string_view text = last.constant.text();
    if (step.function->literal == Function::Literal::kRegex) {
      const re2::StringPiece pattern(text.data(), text.size());
      auto& regex = out_->regexes_.emplace_back(std::make_unique<const re2::RE2>(pattern, regexOptions()));
      step.regex = regex.get();
      if (regex->ok()) return absl::OkStatus();
      return fail(node, base::strCat("'", text, "' is no regular expression that RE2 takes: ", regex->error()));
    }
    absl::TimeZone zone;
    if (const auto fixed = fixedOffset(text)) {
      zone = absl::FixedTimeZone(*fixed);
    } else if (!absl::LoadTimeZone(base::toAbsl(text), &zone)) {
      return fail(node, base::strCat("'", text, "' is no time zone that is known here; write a name of the IANA ",
                                     "database, 'UTC', or an offset as '+01:00'"));
    }
    step.zone = out_->zones_.emplace_back(std::make_unique<const absl::TimeZone>(zone)).get();
    return absl::OkStatus();
  }

  // --- containers ----------------------------------------------------------------------------------------------------

  Made map(const Node& node) {
    const Made out = withParts({.code = Code::kMap}, node.parts);
    if (!out.ok()) return out;
    for (size_t i = 0; i < node.parts.size(); i += 2) {
      const auto kind = kindOf(part(out_->steps_[*out], i));
      if (kind && *kind != Kind::kBool && *kind != Kind::kInt && *kind != Kind::kUint && *kind != Kind::kString) {
        return fail(ast_.nodes[node.parts[i]], base::strCat("a key cannot be a ", nameOf(*kind)));
      }
    }
    return out;
  }

  // The element is known to the condition and the step, the accumulator also to the result.
  Made fold(const Node& node) {
    if (folds_ == Program::kMaxFolds) {
      return fail(node, base::strCat("more than ", Program::kMaxFolds, " macros, one in the other"));
    }
    const auto slot = static_cast<uint16_t>(2 * folds_);
    std::vector<uint32_t> parts(kFoldParts);
    const auto into = [&](Fold which) -> absl::Status {
      const Made made = make(node.parts[which]);
      if (made.ok()) parts[which] = *made;
      return made.status();
    };
    if (absl::Status status = into(kRange); !status.ok()) return status;
    if (absl::Status status = into(kInit); !status.ok()) return status;
    ++folds_;
    scope_.push_back({node.second, static_cast<uint16_t>(slot + 1)});
    scope_.push_back({node.name, slot});
    if (absl::Status status = into(kCondition); !status.ok()) return status;
    if (absl::Status status = into(kStep); !status.ok()) return status;
    scope_.pop_back();
    if (absl::Status status = into(kResult); !status.ok()) return status;
    scope_.pop_back();
    --folds_;
    return addWith({.code = Code::kFold, .number = slot}, parts);
  }

  const Ast& ast_;
  const Vocabulary& vocabulary_;
  std::unique_ptr<Program> out_;
  std::vector<Variable> scope_;
  size_t folds_ = 0;
  int depth_ = 0;
};

absl::StatusOr<Program::Ptr> Program::compile(Ast ast, const Vocabulary& vocabulary) {
  return Compiler(ast, vocabulary).run();
}

absl::StatusOr<Program::Ptr> Program::compile(std::string_view text, const Vocabulary& vocabulary) {
  absl::StatusOr<Ast> ast = parse(text);
  if (!ast.ok()) return ast.status();
  return compile(*std::move(ast), vocabulary);
}

}  // namespace sluice::match::cel
