#include "source/stream/formatter.h"

#include <algorithm>
#include <charconv>

#include "source/base/text.h"

namespace sluice::stream {
namespace {

// Deeper json_format than this is a mistake or an attack.
constexpr size_t kMaxJsonPath = 1000;

bool isNameCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The end of ":N%" or "%" at `at` (behind the last percent sign); 0 if neither is there. Fills the limit.
size_t parseTail(std::string_view format, size_t at, FormatOperator::Spelling& spelling) {
  spelling.has_limit = false;
  if (at < format.size() && format[at] == ':') {
    const char* const begin = format.data() + at + 1;
    const auto [end, error] = std::from_chars(begin, format.data() + format.size(), spelling.limit);
    if (error != std::errc()) return 0;
    spelling.has_limit = true;
    at += 1 + (end - begin);
  }
  return at < format.size() && format[at] == '%' ? at + 1 : 0;
}

// Parses the operator at `at` (behind its first percent sign). Arguments may hold percent signs and parentheses
// (time formats do): they end at the first ')' behind which the operator ends. Returns its end, or 0.
size_t parseSpelling(std::string_view format, size_t at, FormatOperator::Spelling& spelling) {
  size_t end = at;
  while (end < format.size() && isNameCharacter(format[end])) ++end;
  spelling.name = format.substr(at, end - at);
  if (spelling.name.empty() || end == format.size()) return 0;
  if (format[end] != '(') return parseTail(format, end, spelling);
  spelling.has_arguments = true;
  for (size_t close = format.find(')', end); close != std::string_view::npos; close = format.find(')', close + 1)) {
    if (const size_t behind = parseTail(format, close + 1, spelling)) {
      spelling.arguments = format.substr(end + 1, close - end - 1);
      return behind;
    }
  }
  return 0;
}

}  // namespace

const std::string_view kDefaultAccessLogFormat =
    "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% "
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" "
    "\"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

// --- text ------------------------------------------------------------------------------------------------------------

absl::StatusOr<TextFormatter> TextFormatter::compile(std::string_view format, Options options) {
  TextFormatter out;
  out.options_ = {options.omit_empty_values, options.escape};
  std::string literal;
  const auto flush = [&] {
    if (!literal.empty()) out.segments_.push_back({std::exchange(literal, {}), {}});
  };
  for (size_t i = 0; i < format.size();) {
    if (format[i] != '%') {
      literal += format[i++];
      continue;
    }
    if (i + 1 < format.size() && format[i + 1] == '%') {
      literal += '%';
      i += 2;
      continue;
    }
    FormatOperator::Spelling spelling{.bodies = options.bodies};
    const size_t end = parseSpelling(format, i + 1, spelling);
    if (end == 0) {
      return absl::InvalidArgumentError(base::strCat(
          "format '", format, "': '", format.substr(i, 24), "' at offset ", i,
          " is no operator; write %NAME%, %NAME(ARGUMENTS)% or %NAME(ARGUMENTS):LENGTH%, and %% for a percent sign"));
    }
    absl::StatusOr<FormatOperator> value = FormatOperator::compile(spelling);
    if (!value.ok()) {
      return absl::InvalidArgumentError(
          base::strCat("format '", format, "', offset ", i, ": ", base::toStd(value.status().message())));
    }
    flush();
    out.segments_.push_back({{}, *std::move(value)});
    i = end;
  }
  flush();
  return out;
}

void TextFormatter::appendValue(const FormatValue& value, std::string& out) const {
  switch (value.kind) {
    case FormatValue::Kind::kMissing:
      if (!options_.omit_empty_values) out += '-';
      return;
    case FormatValue::Kind::kNumber: {
      std::array<char, 24> digits;
      const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value.number).ptr;
      out.append(digits.data(), end - digits.data());
      return;
    }
    case FormatValue::Kind::kText:
      if (options_.escape == Escape::kLine) {
        appendLineEscaped(value.text, out);
      } else {
        out += value.text;
      }
      return;
    case FormatValue::Kind::kStructure: {
      appendJson(*value.structure, out);  // has no control characters; its quotes are its own
      return;
    }
    case FormatValue::Kind::kJson:
      out += value.text;  // likewise
      return;
  }
}

std::string TextFormatter::literals() const {
  std::string out;
  for (const Segment& segment : segments_) out += segment.literal;
  return out;
}

void TextFormatter::format(const FormatContext& context, std::string& out) const {
  FormatScratch scratch;
  for (const Segment& segment : segments_) {
    if (!segment.literal.empty()) {
      out += segment.literal;
    } else {
      appendValue(segment.value.read(context, scratch), out);
    }
  }
}

// --- JSON ------------------------------------------------------------------------------------------------------------

absl::StatusOr<JsonFormatter> JsonFormatter::compile(const MetadataFields& object, Options options) {
  JsonFormatter out;
  out.options_ = {options.omit_empty_values, options.typed};
  absl::StatusOr<Node> root = compileNode(MetadataValue{object}, options, "");
  if (!root.ok()) return root.status();
  out.root_ = *std::move(root);
  return out;
}

absl::StatusOr<JsonFormatter::Node> JsonFormatter::compileNode(const MetadataValue& value, Options options,
                                                               const std::string& where) {
  Node node;
  if (where.size() > kMaxJsonPath) return absl::InvalidArgumentError("json_format is nested too deep");
  if (const auto* text = std::get_if<std::string>(&value.value)) {
    absl::StatusOr<TextFormatter> compiled =
        TextFormatter::compile(*text, {options.omit_empty_values, Escape::kNone, options.bodies});
    if (!compiled.ok()) {
      return absl::InvalidArgumentError(base::strCat(where, ": ", base::toStd(compiled.status().message())));
    }
    node.kind = options.typed && compiled->isSingleOperator() ? Node::Kind::kTyped : Node::Kind::kText;
    node.text.push_back(*std::move(compiled));
  } else if (const auto* fields = std::get_if<MetadataFields>(&value.value)) {
    node.kind = Node::Kind::kObject;
    std::vector<const MetadataField*> sorted;
    for (const auto& field : *fields) sorted.push_back(&field);
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
    for (const auto* field : sorted) {
      absl::StatusOr<Node> child =
          compileNode(field->value, options, where.empty() ? field->name : base::strCat(where, ".", field->name));
      if (!child.ok()) return child.status();
      std::string key = "\"";
      appendJsonEscaped(field->name, key);
      node.fields.push_back({key + "\":", *std::move(child)});
    }
  } else if (const auto* list = std::get_if<MetadataList>(&value.value)) {
    node.kind = Node::Kind::kList;
    for (const MetadataValue& item : *list) {
      absl::StatusOr<Node> child = compileNode(item, options, base::strCat(where, "[", node.list.size(), "]"));
      if (!child.ok()) return child.status();
      node.list.push_back(*std::move(child));
    }
  } else {
    appendJson(value, node.literal);
  }
  return node;
}

void JsonFormatter::format(const FormatContext& context, std::string& out) const {
  append(root_, context, out);
  out += '\n';
}

bool JsonFormatter::appendTyped(const TextFormatter& text, const FormatContext& context, std::string& out) const {
  FormatScratch scratch;
  const FormatValue value = text.segments_[0].value.read(context, scratch);
  switch (value.kind) {
    case FormatValue::Kind::kMissing:
      out += "null";
      return false;
    case FormatValue::Kind::kNumber:
      text.appendValue(value, out);
      return true;
    case FormatValue::Kind::kText:
      out += '"';
      appendJsonEscaped(value.text, out);
      out += '"';
      return true;
    case FormatValue::Kind::kStructure:
      appendJson(*value.structure, out);
      return true;
    case FormatValue::Kind::kJson:
      out += value.text;
      return true;
  }
  return false;
}

// Returns false if the value is empty (and may be left out of its object).
bool JsonFormatter::append(const Node& node, const FormatContext& context, std::string& out) const {
  switch (node.kind) {
    case Node::Kind::kLiteral:
      out += node.literal;
      return node.literal != "null";
    case Node::Kind::kTyped:
      return appendTyped(node.text[0], context, out);
    case Node::Kind::kText: {
      out += '"';
      FormatScratch scratch;
      const TextFormatter& text = node.text[0];
      for (const TextFormatter::Segment& segment : text.segments_) {
        if (!segment.literal.empty()) {
          appendJsonEscaped(segment.literal, out);
          continue;
        }
        const FormatValue value = segment.value.read(context, scratch);
        if (value.kind == FormatValue::Kind::kText || value.kind == FormatValue::Kind::kJson) {
          appendJsonEscaped(value.text, out);
        } else if (value.kind == FormatValue::Kind::kStructure) {
          std::string json;  // rare, so its buffer does not matter
          appendJson(*value.structure, json);
          appendJsonEscaped(json, out);
        } else {
          text.appendValue(value, out);
        }
      }
      out += '"';
      return true;
    }
    case Node::Kind::kObject: {
      out += '{';
      bool first = true;
      for (const auto& [key, child] : node.fields) {
        const size_t mark = out.size();
        if (!first) out += ',';
        out += key;
        if (append(child, context, out) || !options_.omit_empty_values) {
          first = false;
        } else {
          out.resize(mark);
        }
      }
      out += '}';
      return !first;
    }
    case Node::Kind::kList: {
      out += '[';
      bool first = true;
      for (const Node& child : node.list) {
        if (!first) out += ',';
        append(child, context, out);
        first = false;
      }
      out += ']';
      return true;
    }
  }
  return false;
}

}  // namespace sluice::stream
