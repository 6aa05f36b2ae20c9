// Substitution formats: text or JSON with Envoy's command operators, compiled once on the main thread, used by any
// thread. Formatting appends to the caller's buffer and allocates nothing else once that buffer is warm.
//
// One call makes one record, whatever the peer sent: in JSON every value is a JSON string, number or null; in text
// with Escape::kLine, control characters, bytes that are no UTF-8, '"' and '\' of values are escaped.
// Proto: envoy.config.core.v3.SubstitutionFormatString.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/stream/format_context.h"
#include "source/stream/format_operators.h"
#include "source/stream/metadata.h"

namespace sluice::stream {

enum class Escape : uint8_t {
  kLine,  // for logs
  kNone,  // values as they are: for headers and bodies
};

// Envoy's default access log line, newline included.
extern const std::string_view kDefaultAccessLogFormat;

class Formatter {
 public:
  virtual ~Formatter() = default;
  virtual void format(const FormatContext& context, std::string& out) const = 0;
};

// "text %REQ(:PATH)% %%". Errors name the operator, its offset, and the nearest known one.
class TextFormatter : public Formatter {
 public:
  struct Options {
    bool omit_empty_values = false;  // a missing value is "" instead of "-"
    Escape escape = Escape::kLine;
    BodyPaths* bodies = nullptr;  // as of FormatOperator::Spelling, while it is compiled
  };
  static absl::StatusOr<TextFormatter> compile(std::string_view format, Options options);
  static absl::StatusOr<TextFormatter> compile(std::string_view format) { return compile(format, Options()); }

  void format(const FormatContext& context, std::string& out) const override;

  // What is the same for all records.
  std::string literals() const;
  // True if the format is nothing but one operator.
  bool isSingleOperator() const { return segments_.size() == 1 && segments_[0].literal.empty(); }

 private:
  friend class JsonFormatter;
  struct Segment {
    std::string literal;  // not empty: text
    FormatOperator value;
  };
  void appendValue(const FormatValue& value, std::string& out) const;

  std::vector<Segment> segments_;
  Options options_;
};

// An object whose leaves are text formats. A leaf that is one operator keeps its type: numbers are JSON numbers, what
// is missing is null (or left out with omit_empty_values, as is an object that becomes empty), metadata keeps its
// structure. A record ends with a newline. Keys come in alphabetical order.
class JsonFormatter : public Formatter {
 public:
  struct Options {
    bool omit_empty_values = false;
    bool typed = true;            // false: every leaf is a string, and what is missing is "-"
    BodyPaths* bodies = nullptr;  // as of TextFormatter
  };
  static absl::StatusOr<JsonFormatter> compile(const MetadataFields& object, Options options);
  static absl::StatusOr<JsonFormatter> compile(const MetadataFields& object) { return compile(object, Options()); }

  void format(const FormatContext& context, std::string& out) const override;

 private:
  struct Field;
  struct Node {
    enum class Kind : uint8_t { kLiteral, kTyped, kText, kObject, kList };
    Kind kind = Kind::kLiteral;
    std::string literal;              // JSON
    std::vector<TextFormatter> text;  // one
    std::vector<Field> fields;
    std::vector<Node> list;
  };
  struct Field {
    std::string key;  // JSON, with its colon
    Node value;
  };
  static absl::StatusOr<Node> compileNode(const MetadataValue& value, Options options, const std::string& where);
  bool append(const Node& node, const FormatContext& context, std::string& out) const;
  bool appendTyped(const TextFormatter& text, const FormatContext& context, std::string& out) const;

  Node root_;
  Options options_;
};

// --- building blocks -------------------------------------------------------------------------------------------------

// Appends `text` with what could break a line or a quoted field escaped: \n, \r, \t, \", \\ and \xNN.
void appendLineEscaped(std::string_view text, std::string& out);
// Appends the inside of a JSON string. Bytes that are no UTF-8 become U+FFFD.
void appendJsonEscaped(std::string_view text, std::string& out);
// Appends a value as JSON.
void appendJson(const MetadataValue& value, std::string& out);

}  // namespace sluice::stream
