#include "source/match/path_template.h"

#include <algorithm>

#include "absl/status/status.h"
#include "source/base/text.h"

namespace sluice::match {
namespace {

constexpr std::string_view kOneSegment = "[^/]+";
constexpr std::string_view kAnySegments = "(?s:.*)";

bool isLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool isLetterOrDigit(char c) {
  return isLetter(c) || (c >= '0' && c <= '9');
}

// What of a path stands for itself in a template.
bool isText(char c) {
  return isLetterOrDigit(c) || (c != '\0' && std::string_view("-._~%!$&'()+,;:@=").find(c) != std::string_view::npos);
}

absl::Status problem(std::string_view what) {
  return absl::InvalidArgumentError(base::toAbsl(what));
}

absl::Status checkName(std::string_view name) {
  const bool valid = !name.empty() && isLetter(name[0]) &&
                     std::all_of(name.begin(), name.end(), [](char c) { return isLetterOrDigit(c) || c == '_'; });
  if (!valid) {
    return problem(base::strCat("\"", name,
                                "\" is no name of a variable; it begins with a letter and goes on with "
                                "letters, digits and _"));
  }
  if (name.size() <= PathTemplate::kLongestName) return absl::OkStatus();
  return problem(
      base::strCat("the name \"", name, "\" of a variable is longer than ", PathTemplate::kLongestName, " bytes"));
}

}  // namespace

class PathTemplate::Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  absl::StatusOr<PathTemplate> parse() {
    if (rest_.empty() || rest_[0] != '/') return problem("has to begin with '/'");
    while (!rest_.empty()) {
      rest_.remove_prefix(1);  // the slash in front of a segment
      addText("/");
      if (rest_.empty()) break;  // it is the last one
      if (absl::Status status = segment(); !status.ok()) return status;
    }
    return std::move(out_);
  }

 private:
  // Up to a slash or the end.
  absl::Status segment() {
    if (rest_[0] == '*') return globSegment();
    if (rest_[0] == '/') return badByte();
    bool behind_variable = false;
    while (!rest_.empty() && rest_[0] != '/') {
      if (rest_[0] != '{') {
        if (absl::Status status = text(); !status.ok()) return status;
        behind_variable = false;
        continue;
      }
      if (behind_variable) return problem("has two variables side by side; put text or '/' between them");
      if (absl::Status status = variable(); !status.ok()) return status;
      behind_variable = true;
    }
    return absl::OkStatus();
  }

  // `*` or `**`, and at the end of the path text behind it.
  absl::Status globSegment() {
    if (absl::Status status = glob(); !status.ok()) return status;
    if (rest_.empty() || rest_[0] == '/') return absl::OkStatus();
    if (rest_[0] == '*' || rest_[0] == '{') return problem("has more than text behind '*'; give each a segment");
    if (absl::Status status = text(); !status.ok()) return status;
    if (rest_.empty()) return absl::OkStatus();
    return problem("has text behind '*' in a segment that is not the last one; use a variable, such as {name}");
  }

  absl::Status glob() {
    if (behind_any_) return problem("has '*', '**' or a variable behind '**'; '**' takes all that comes");
    const bool any = rest_.starts_with("**");
    rest_.remove_prefix(any ? 2 : 1);
    behind_any_ = any;
    addGlob(any);
    return absl::OkStatus();
  }

  absl::Status text() {
    size_t size = 0;
    while (size < rest_.size() && isText(rest_[size])) ++size;
    if (size == 0) return badByte();
    addText(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return absl::OkStatus();
  }

  absl::Status badByte() const {
    if (rest_[0] == '*') return problem("has '*' beside other text; it stands alone between slashes");
    if (rest_[0] == '}') return problem("has '}' without '{'");
    if (rest_[0] == '/') return problem("has an empty segment (\"//\")");
    if (rest_[0] == '?' || rest_[0] == '#') {
      return problem("has '?' or '#'; paths are compared without query and fragment");
    }
    const bool visible = rest_[0] > ' ' && rest_[0] < 0x7f;
    return problem(base::strCat("has ", visible ? base::strCat("'", rest_.substr(0, 1), "'") : "a byte",
                                " that no path has as it is; write it percent-encoded"));
  }

  absl::Status variable() {
    const size_t end = rest_.find('}');
    if (end == std::string_view::npos) return problem("has '{' without '}'");
    const std::string_view behind = rest_.substr(end + 1);
    const std::string_view inside = rest_.substr(1, end - 1);
    const size_t equals = inside.find('=');
    if (absl::Status status = name(inside.substr(0, equals)); !status.ok()) return status;
    out_.pattern_ += '(';
    rest_ = equals == std::string_view::npos ? "*" : inside.substr(equals + 1);
    if (absl::Status status = parts(out_.variables_.back()); !status.ok()) return status;
    out_.pattern_ += ')';
    rest_ = behind;
    return absl::OkStatus();
  }

  absl::Status name(std::string_view name) {
    if (absl::Status status = checkName(name); !status.ok()) return status;
    auto& known = out_.variables_;
    if (std::find(known.begin(), known.end(), name) != known.end()) {
      return problem(base::strCat("has two variables \"", name, "\""));
    }
    if (known.size() == kMostVariables) return problem(base::strCat("has more than ", kMostVariables, " variables"));
    known.emplace_back(name);
    return absl::OkStatus();
  }

  // `rest_` is what stands behind the equals sign of a variable.
  absl::Status parts(std::string_view name) {
    while (true) {
      if (rest_.empty()) return problem(base::strCat("has nothing behind '=' or '/' in the variable \"", name, "\""));
      const absl::Status status = rest_[0] == '*' ? glob() : text();
      if (!status.ok()) return status;
      if (rest_.empty()) return absl::OkStatus();
      if (rest_[0] != '/') return badByte();
      rest_.remove_prefix(1);
      addText("/");
    }
  }

  void addText(std::string_view text) {
    if (out_.rest_ == Rest::kNothing) {
      out_.literal_ += text;
    } else {
      out_.rest_ = Rest::kMore;
    }
    for (const char c : text) {
      if (std::string_view("$()+.").find(c) != std::string_view::npos) out_.pattern_ += '\\';
      out_.pattern_ += c;
    }
  }

  void addGlob(bool any) {
    out_.rest_ = any && out_.rest_ == Rest::kNothing ? Rest::kAnything : Rest::kMore;
    out_.pattern_ += any ? kAnySegments : kOneSegment;
  }

  std::string_view rest_;
  bool behind_any_ = false;
  PathTemplate out_;
};

absl::StatusOr<PathTemplate> PathTemplate::parse(std::string_view text) {
  return Parser(text).parse();
}

std::optional<std::string_view> PathTemplate::onlyPath() const {
  return rest_ == Rest::kNothing ? std::optional<std::string_view>(literal_) : std::nullopt;
}

std::optional<std::string_view> PathTemplate::onlyPrefix() const {
  return rest_ == Rest::kAnything ? std::optional<std::string_view>(literal_) : std::nullopt;
}

absl::StatusOr<std::string> PathTemplate::substitution(std::string_view rewrite) const {
  if (rewrite.empty() || rewrite[0] != '/') return problem("has to begin with '/'");
  if (rewrite.find("//") != std::string_view::npos) return problem("has an empty segment (\"//\")");
  std::string out;
  while (!rewrite.empty()) {
    if (rewrite[0] != '{') {
      if (!isText(rewrite[0]) && rewrite[0] != '/') {
        return problem(base::strCat("has \"", rewrite.substr(0, 1), "\", which stands for nothing in a new path; ",
                                    "only text and variables do"));
      }
      out += rewrite[0];
      rewrite.remove_prefix(1);
      continue;
    }
    const size_t end = rewrite.find('}');
    if (end == std::string_view::npos) return problem("has '{' without '}'");
    const std::string_view name = rewrite.substr(1, end - 1);
    if (absl::Status status = checkName(name); !status.ok()) return status;
    const auto found = std::find(variables_.begin(), variables_.end(), name);
    if (found == variables_.end()) {
      return problem(
          base::strCat("names the variable \"", name, "\", which the template of path_match_policy has not"));
    }
    out += '\\';
    out += static_cast<char>('1' + (found - variables_.begin()));
    rewrite.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace sluice::match
