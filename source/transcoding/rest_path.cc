#include "source/transcoding/rest_path.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace sluice::transcoding {
namespace {

bool isNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<RestPath> parse() {
    if (!take('/')) return fail("does not begin with '/'");
    if (!atEnd()) {
      if (absl::Status status = segments(false); !status.ok()) return status;
    }
    if (take(':')) {
      path_.verb = std::string(text_.substr(at_));
      if (path_.verb.empty() || path_.verb.find_first_of("/{}*:") != std::string::npos) {
        return fail("has a verb that is not text");
      }
      at_ = text_.size();
    }
    if (!atEnd()) return fail(absl::StrCat("has '", std::string(1, text_[at_]), "' where it should end"));
    return std::move(path_);
  }

 private:
  absl::Status segments(bool inside) {
    do {
      if (absl::Status status = segment(inside); !status.ok()) return status;
    } while (take('/'));
    return absl::OkStatus();
  }

  absl::Status segment(bool inside) {
    if (!path_.segments.empty() && path_.segments.back() == "**") return fail("has something behind '**'");
    if (peek('{')) return inside ? fail("has a variable inside another one") : variable();
    std::string text;
    while (!atEnd() && !peek('/') && !peek(':') && !peek('}') && !peek('{')) text += text_[at_++];
    if (text.empty()) return fail("has an empty segment");
    if (text != "*" && text != "**" && text.find('*') != std::string::npos) {
      return fail(absl::StrCat("has '*' within the segment \"", text, "\""));
    }
    path_.segments.push_back(std::move(text));
    return absl::OkStatus();
  }

  absl::Status variable() {
    ++at_;
    PathVariable out;
    do {
      std::string name;
      while (!atEnd() && isNameByte(text_[at_])) name += text_[at_++];
      if (name.empty()) return fail("has a variable without the name of a field");
      out.fields.push_back(std::move(name));
    } while (take('.'));
    out.begin = path_.segments.size();
    if (take('=')) {
      if (absl::Status status = segments(true); !status.ok()) return status;
    } else {
      if (!path_.segments.empty() && path_.segments.back() == "**") return fail("has something behind '**'");
      path_.segments.push_back("*");
    }
    if (!take('}')) return fail("has a variable that is not closed");
    out.end = path_.segments.size();
    out.rest = path_.segments.back() == "**";
    out.many = out.rest || out.end - out.begin > 1;
    path_.variables.push_back(std::move(out));
    return absl::OkStatus();
  }

  bool atEnd() const { return at_ == text_.size(); }
  bool peek(char c) const { return !atEnd() && text_[at_] == c; }
  bool take(char c) {
    if (!peek(c)) return false;
    ++at_;
    return true;
  }
  absl::Status fail(std::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat("the path \"", absl::string_view(text_.data(), text_.size()), "\" ",
                                                   absl::string_view(why.data(), why.size())));
  }

  const std::string_view text_;
  size_t at_ = 0;
  RestPath path_;
};

}  // namespace

absl::StatusOr<RestPath> RestPath::parse(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace sluice::transcoding
