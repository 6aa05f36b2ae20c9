#include "source/extensions/filters/http/ldap_auth/templates.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "source/base/percent.h"
#include "source/base/text.h"

namespace sluice::extensions::http_filters::ldap_auth {
namespace {

bool isPlain(char c) {
  return absl::ascii_isalnum(static_cast<uint8_t>(c)) || c == '-' || c == '.' || c == '_' || c == '@';
}

// Of an attribute, its options, ":dn" and a rule. (RFC 4515: attr, dnattrs, matchingrule)
bool isName(char c) {
  return absl::ascii_isalnum(static_cast<uint8_t>(c)) || c == '-' || c == '.' || c == ';' || c == ':' || c == '_';
}

}  // namespace

std::string escaped(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(value.size());
  for (const char c : value) {
    if (isPlain(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    out += {'\\', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return out;
}

// Reads a template and keeps what it has read.
class FilterReader {
 public:
  FilterReader(std::string_view text, bool has_dn) : text_(text), has_dn_(has_dn) {}

  absl::StatusOr<FilterTemplate> read() {
    if (absl::Status bad = readFilter(1); !bad.ok()) return bad;
    if (at_ != text_.size()) return problem("has something behind its last parenthesis");
    if (out_.parts_.empty()) return problem(has_dn_ ? "names neither {dn} nor {user}" : "does not name {user}");
    out_.rest_ = std::move(literal_);
    return std::move(out_);
  }

 private:
  absl::Status problem(std::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(base::toAbsl(what), ", at byte ", at_));
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void keep(size_t count) {
    literal_ += text_.substr(at_, count);
    at_ += count;
  }
  bool keepIf(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    keep(1);
    return true;
  }

  absl::Status readFilter(size_t depth) {
    if (depth > FilterTemplate::kMaxDepth) return problem("is nested too deeply");
    if (!keepIf('(')) return problem("has no \"(\" where a filter begins");
    const char kind = peek();
    if (kind == '&' || kind == '|') {
      keep(1);
      do {
        if (absl::Status bad = readFilter(depth + 1); !bad.ok()) return bad;
      } while (peek() == '(');
    } else if (kind == '!') {
      keep(1);
      if (absl::Status bad = readFilter(depth + 1); !bad.ok()) return bad;
    } else if (absl::Status bad = readItem(); !bad.ok()) {
      return bad;
    }
    if (!keepIf(')')) return problem("has no \")\" where a filter ends");
    return absl::OkStatus();
  }

  absl::Status readItem() {
    const size_t begin = at_;
    while (at_ < text_.size() && isName(text_[at_])) keep(1);
    if (at_ == begin) return problem("has no attribute where one is named");
    if (peek() == '~' || peek() == '<' || peek() == '>') keep(1);
    if (!keepIf('=')) return problem("has no \"=\" behind an attribute");
    return readValue();
  }

  absl::Status readValue() {
    while (at_ < text_.size() && text_[at_] != ')') {
      const char c = text_[at_];
      if (c == '{') {
        if (absl::Status bad = readPlace(); !bad.ok()) return bad;
      } else if (c == '\\') {
        const std::string_view digits = text_.substr(at_ + 1, 2);
        if (digits.size() < 2 || base::hexValue(digits[0]) < 0 || base::hexValue(digits[1]) < 0) {
          return problem("has a backslash without two hexadecimal digits");
        }
        keep(3);
      } else if (c == '(' || c == '}' || c == '\0') {
        return problem("has a parenthesis, a brace or a zero byte in a value; write \\28, \\7d or \\00");
      } else {
        keep(1);
      }
    }
    return absl::OkStatus();
  }

  absl::Status readPlace() {
    const std::string_view rest = text_.substr(at_);
    const auto take = [this](size_t size, FilterTemplate::Place place) {
      at_ += size;
      out_.parts_.push_back({std::exchange(literal_, {}), place});
      return absl::OkStatus();
    };
    if (rest.starts_with("{user}")) return take(6, FilterTemplate::Place::kUser);
    if (has_dn_ && rest.starts_with("{dn}")) return take(4, FilterTemplate::Place::kDn);
    return problem(has_dn_ ? "has a brace that begins neither {user} nor {dn}; write \\7b"
                           : "has a brace that does not begin {user}; write \\7b");
  }

  const std::string_view text_;
  const bool has_dn_;
  size_t at_ = 0;
  std::string literal_;
  FilterTemplate out_;
};

absl::StatusOr<FilterTemplate> FilterTemplate::parse(std::string_view text, bool has_dn) {
  return FilterReader(text, has_dn).read();
}

std::string FilterTemplate::fill(std::string_view user, std::string_view dn) const {
  std::string out;
  for (const Part& part : parts_) {
    out += part.before;
    out += escaped(part.place == Place::kUser ? user : dn);
  }
  return out + rest_;
}

}  // namespace sluice::extensions::http_filters::ldap_auth
