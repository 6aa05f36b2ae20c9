// What a template of paths means, tried out byte by byte. For tests; shares no code with PathTemplate, of which it
// takes for granted that it accepts the template.
#pragma once

#include <string>
#include <string_view>

namespace sluice::match {

class TemplateReference {
 public:
  explicit TemplateReference(std::string_view text) {
    // Variables are what they take: "{name=PATTERN}" is PATTERN, "{name}" is "*".
    for (size_t at = 0; at < text.size(); ++at) {
      if (text[at] != '{') {
        plain_ += text[at];
        continue;
      }
      const std::string_view variable = text.substr(at + 1, text.find('}', at) - at - 1);
      const size_t equals = variable.find('=');
      plain_ += equals == std::string_view::npos ? "*" : variable.substr(equals + 1);
      at = text.find('}', at);
    }
  }

  bool matches(std::string_view path) const { return matches(plain_, path); }

 private:
  static bool matches(std::string_view pattern, std::string_view path) {
    if (pattern.empty()) return path.empty();
    if (pattern.substr(0, 2) == "**") {
      for (size_t taken = 0; taken <= path.size(); ++taken) {
        if (matches(pattern.substr(2), path.substr(taken))) return true;
      }
      return false;
    }
    if (pattern[0] == '*') {
      for (size_t taken = 1; taken <= path.size() && path[taken - 1] != '/'; ++taken) {
        if (matches(pattern.substr(1), path.substr(taken))) return true;
      }
      return false;
    }
    return !path.empty() && path[0] == pattern[0] && matches(pattern.substr(1), path.substr(1));
  }

  std::string plain_;
};

}  // namespace sluice::match
