#include "source/match/cel/parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "source/base/text.h"
#include "source/match/cel/lexer.h"
#include "source/match/cel/macros.h"

namespace sluice::match::cel {
namespace {

using Kind = Token::Kind;
using Expected = absl::StatusOr<NodeId>;

struct Operator {
  std::string_view symbol, function;
  int level;  // the higher, the closer it binds
};
constexpr Operator kOperators[] = {
    {"||", "_||_", 1}, {"&&", "_&&_", 2}, {"<", "_<_", 3},   {"<=", "_<=_", 3}, {">", "_>_", 3},
    {">=", "_>=_", 3}, {"==", "_==_", 3}, {"!=", "_!=_", 3}, {"in", "@in", 3},  {"+", "_+_", 4},
    {"-", "_-_", 4},   {"*", "_*_", 5},   {"/", "_/_", 5},   {"%", "_%_", 5},
};

constexpr std::string_view kWords[] = {"false", "in", "null", "true"};
constexpr std::string_view kReserved[] = {"as",        "break",  "const",  "continue", "else", "for",
                                          "function",  "if",     "import", "let",      "loop", "package",
                                          "namespace", "return", "var",    "void",     "while"};

template <size_t kSize>
bool isOneOf(const std::string_view (&words)[kSize], std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

class Parser {
 public:
  explicit Parser(std::string_view source) : lexer_(source) { ast_.source = source; }

  absl::StatusOr<Ast> run() {
    if (absl::Status status = lexer_.next(token_); !status.ok()) return status;
    const Expected root = expression();
    if (!root.ok()) return root.status();
    if (token_.kind != Kind::kEnd) return unexpected("an operator or the end");
    ast_.root = *root;
    return std::move(ast_);
  }

 private:
  // --- tokens --------------------------------------------------------------------------------------------------------

  bool is(std::string_view symbol) const { return token_.kind == Kind::kSymbol && token_.text == symbol; }
  bool isWord(std::string_view word) const { return token_.kind == Kind::kIdent && token_.text == word; }
  absl::Status advance() { return lexer_.next(token_); }
  absl::Status expect(std::string_view symbol) {
    return is(symbol) ? advance() : unexpected(base::strCat("'", symbol, "'"));
  }
  absl::Status unexpected(std::string_view expected) const {
    const std::string found = token_.kind == Kind::kEnd ? "the end" : base::strCat("'", token_.text.substr(0, 40), "'");
    return fail(token_.offset, base::strCat("found ", found, ", expected ", expected));
  }
  absl::Status fail(size_t offset, std::string_view message) const { return errorAt(ast_.source, offset, message); }

  // --- nodes ---------------------------------------------------------------------------------------------------------

  Expected add(Node node) {
    if (ast_.nodes.size() >= Ast::kMaxNodes) {
      return fail(node.offset, base::strCat("the expression has more than ", Ast::kMaxNodes, " parts"));
    }
    ast_.nodes.push_back(std::move(node));
    return static_cast<NodeId>(ast_.nodes.size() - 1);
  }
  Expected call(uint32_t offset, std::string_view function, std::vector<NodeId> parts, bool has_target = false) {
    return add({.kind = Node::Kind::kCall,
                .has_target = has_target,
                .offset = offset,
                .name = std::string(function),
                .parts = std::move(parts)});
  }

  // --- expressions ---------------------------------------------------------------------------------------------------

  // What stands inside another: bounded, since it recurses.
  Expected expression() {
    if (++depth_ > Ast::kMaxDepth) {
      return fail(token_.offset, base::strCat("the expression is nested more than ", Ast::kMaxDepth, " levels deep"));
    }
    Expected out = conditional();
    --depth_;
    return out;
  }

  Expected conditional() {
    Expected condition = binary(1);
    if (!condition.ok() || !is("?")) return condition;
    const uint32_t offset = token_.offset;
    if (absl::Status status = advance(); !status.ok()) return status;
    const Expected yes = binary(1);
    if (!yes.ok()) return yes;
    if (absl::Status status = expect(":"); !status.ok()) return status;
    const Expected no = expression();
    if (!no.ok()) return no;
    return call(offset, "_?_:_", {*condition, *yes, *no});
  }

  const Operator* operatorHere() const {
    if (token_.kind != Kind::kSymbol && !isWord("in")) return nullptr;
    const auto* found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                     [this](const Operator& known) { return known.symbol == token_.text; });
    return found == std::end(kOperators) ? nullptr : found;
  }

  // Operators of `level` and closer ones. A chain of || or && is one call of all its parts, so that a long one is flat.
  Expected binary(int level) {
    Expected left = unary();
    if (!left.ok()) return left;
    std::string_view chain;  // of which function `left` is a chain that was begun here
    for (const Operator* found = operatorHere(); found != nullptr && found->level >= level; found = operatorHere()) {
      const uint32_t offset = token_.offset;
      if (absl::Status status = advance(); !status.ok()) return status;
      const Expected right = binary(found->level + 1);
      if (!right.ok()) return right;
      if (chain == found->function) {
        ast_.nodes[*left].parts.push_back(*right);
        continue;
      }
      left = call(offset, found->function, {*left, *right});
      if (!left.ok()) return left;
      chain = found->level <= 2 ? found->function : std::string_view();
    }
    return left;
  }

  // A minus in front of a number belongs to it: the smallest int has no positive twin.
  Expected unary() {
    if (!is("!") && !is("-")) return member();
    const std::string_view function = is("!") ? "!_" : "-_";
    const uint32_t offset = token_.offset;
    if (absl::Status status = advance(); !status.ok()) return status;
    if (function == "-_" && token_.kind == Kind::kNumber) return members(number(true));
    if (++depth_ > Ast::kMaxDepth) return fail(offset, "too many signs in a row");
    const Expected operand = unary();
    --depth_;
    if (!operand.ok()) return operand;
    return call(offset, function, {*operand});
  }

  Expected member() { return members(primary()); }

  // What stands behind a value: .name, .name(...), [...].
  Expected members(Expected left) {
    while (left.ok() && (is(".") || is("["))) left = is(".") ? selected(*left) : indexed(*left);
    if (left.ok() && is("{")) return refuseMessage();
    return left;
  }

  Expected indexed(NodeId operand) {
    const uint32_t offset = token_.offset;
    if (absl::Status status = advance(); !status.ok()) return status;
    const Expected index = expression();
    if (!index.ok()) return index;
    if (absl::Status status = expect("]"); !status.ok()) return status;
    return call(offset, "_[_]", {operand, *index});
  }

  Expected selected(NodeId operand) {
    if (absl::Status status = advance(); !status.ok()) return status;
    const uint32_t offset = token_.offset;
    const bool quoted = token_.kind == Kind::kQuoted;
    if (!quoted && (token_.kind != Kind::kIdent || isOneOf(kWords, token_.text))) return unexpected("a name");
    std::string name = quoted ? std::get<std::string>(token_.constant) : std::string(token_.text);
    if (absl::Status status = advance(); !status.ok()) return status;
    if (quoted || !is("("))
      return add({.kind = Node::Kind::kSelect, .offset = offset, .name = name, .parts = {operand}});
    return called(offset, name, operand);
  }

  Expected called(uint32_t offset, const std::string& name, std::optional<NodeId> target) {
    auto arguments = list("(", ")");
    if (!arguments.ok()) return arguments.status();
    if (const Macro* macro = findMacro(name, target.has_value(), arguments->size())) {
      return macro->expand(ast_, offset, target.value_or(0), *arguments);
    }
    if (target) arguments->insert(arguments->begin(), *target);
    return call(offset, name, *std::move(arguments), target.has_value());
  }

  Expected primary() {
    switch (token_.kind) {
      case Kind::kNumber:
        return number(false);
      case Kind::kText:
        return constant(std::move(token_.constant));
      case Kind::kIdent:
        return word(false);
      default:
        break;
    }
    if (is(".")) {
      if (absl::Status status = advance(); !status.ok()) return status;
      return word(true);
    }
    if (is("(")) {
      if (absl::Status status = advance(); !status.ok()) return status;
      const Expected inside = expression();
      if (!inside.ok()) return inside;
      if (absl::Status status = expect(")"); !status.ok()) return status;
      return inside;
    }
    if (is("[")) {
      const uint32_t offset = token_.offset;
      auto elements = list("[", "]");
      if (!elements.ok()) return elements.status();
      return add({.kind = Node::Kind::kList, .offset = offset, .parts = *std::move(elements)});
    }
    if (is("{")) return map();
    return unexpected("a value");
  }

  Expected word(bool absolute) {
    const uint32_t offset = token_.offset;
    if (token_.kind != Kind::kIdent) return unexpected("a name");
    if (!absolute) {
      if (isWord("true") || isWord("false")) return constant(isWord("true"));
      if (isWord("null")) return constant(std::monostate());
    }
    if (isOneOf(kWords, token_.text)) return unexpected("a value");
    if (isOneOf(kReserved, token_.text)) {
      return fail(offset, base::strCat("'", token_.text, "' is a reserved word and cannot be a name"));
    }
    std::string name(token_.text);
    if (absl::Status status = advance(); !status.ok()) return status;
    if (is("(")) return called(offset, name, std::nullopt);
    // ".name" is no variable of a macro; a variable cannot be spelled so.
    return add({.kind = Node::Kind::kIdent, .offset = offset, .name = absolute ? "." + name : name});
  }

  Expected refuseMessage() { return unexpected("no '{': messages cannot be made here; use a map, {'key': value}"); }

  // --- literals ------------------------------------------------------------------------------------------------------

  Expected constant(Constant value) {
    const uint32_t offset = token_.offset;
    if (absl::Status status = advance(); !status.ok()) return status;
    return add({.kind = Node::Kind::kConstant, .offset = offset, .constant = std::move(value)});
  }

  Expected number(bool negative) {
    const std::string_view text = token_.text;
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (!hex && text.find_first_of(".eE") != std::string_view::npos) return real(negative);
    const bool is_unsigned = text.ends_with('u') || text.ends_with('U');
    const std::string_view digits = text.substr(hex ? 2 : 0, text.size() - (hex ? 2 : 0) - (is_unsigned ? 1 : 0));
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
    const bool whole = end == digits.data() + digits.size() && !digits.empty();
    if (error == std::errc::invalid_argument || !whole)
      return fail(token_.offset, base::strCat("'", text, "' is no number"));
    const bool too_large = error != std::errc();
    if (is_unsigned) {
      if (negative) return fail(token_.offset, base::strCat("a uint has no sign: -", text));
      if (too_large) return fail(token_.offset, base::strCat(text, " is too large for a uint"));
      return constant(value);
    }
    const uint64_t most = static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0);
    if (too_large || value > most) {
      return fail(token_.offset, base::strCat(negative ? "-" : "", text, " is out of the range of an int"));
    }
    return constant(static_cast<int64_t>(negative ? uint64_t{0} - value : value));
  }

  Expected real(bool negative) {
    const std::string_view text = token_.text;
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (end != text.data() + text.size() || error == std::errc::invalid_argument) {
      return fail(token_.offset, base::strCat("'", text, "' is no number"));
    }
    if (error != std::errc()) return fail(token_.offset, base::strCat(text, " is out of the range of a double"));
    return constant(negative ? -value : value);
  }

  // What stands between `open` and `close`, with commas between.
  absl::StatusOr<std::vector<NodeId>> list(std::string_view open, std::string_view close) {
    std::vector<NodeId> out;
    if (absl::Status status = expect(open); !status.ok()) return status;
    while (!is(close)) {
      const Expected element = expression();
      if (!element.ok()) return element.status();
      out.push_back(*element);
      if (!is(",")) break;
      if (absl::Status status = advance(); !status.ok()) return status;
      if (close == ")" && is(close)) return unexpected("an argument");
    }
    if (!is(close)) return unexpected(base::strCat("',' or '", close, "'"));
    if (absl::Status status = advance(); !status.ok()) return status;
    return out;
  }

  Expected map() {
    Node node{.kind = Node::Kind::kMap, .offset = token_.offset};
    if (absl::Status status = advance(); !status.ok()) return status;
    while (!is("}")) {
      const Expected key = expression();
      if (!key.ok()) return key;
      if (absl::Status status = expect(":"); !status.ok()) return status;
      const Expected value = expression();
      if (!value.ok()) return value;
      node.parts.insert(node.parts.end(), {*key, *value});
      if (!is(",")) break;
      if (absl::Status status = advance(); !status.ok()) return status;
    }
    if (!is("}")) return unexpected("',' or '}'");
    if (absl::Status status = advance(); !status.ok()) return status;
    return add(std::move(node));
  }

  Ast ast_;
  Lexer lexer_;
  Token token_;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<Ast> parse(std::string_view source) {
  if (source.size() > kMaxSource) {
    return absl::InvalidArgumentError(base::strCat("the expression has more than ", kMaxSource, " bytes"));
  }
  return Parser(source).run();
}

}  // namespace sluice::match::cel
