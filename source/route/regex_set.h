// Many regular expressions of one place, matched at once.
//
// RE2::Set walks the path once, whatever the number of expressions. Its automaton has a memory budget; where that is
// not enough (a hostile path can make it so) each expression is asked for itself, so the answer never depends on the
// budget.
#pragma once

#include <re2/re2.h>
#include <re2/set.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace sluice::route {

class RegexSet {
 public:
  struct Member {
    const re2::RE2* regex;
    std::vector<uint32_t> routes;  // ascending: those with this expression
  };

  // `members` are distinct expressions, at least one; they are compiled as compileRegex does.
  explicit RegexSet(std::vector<Member> members);

  uint32_t lowest() const { return lowest_; }

  // Calls visit(const Member&) for each member that matches all of `path`; in no order.
  template <class Visit>
  void forEachMatch(std::string_view path, Visit visit) const {
    const re2::StringPiece text(path.data(), path.size());
    if (compiled_) {
      std::vector<int> matched;
      re2::RE2::Set::ErrorInfo error{re2::RE2::Set::kNoError};
      if (set_.Match(text, &matched, &error)) {
        for (const int member : matched) visit(members_[static_cast<size_t>(member)]);
        return;
      }
      if (error.kind == re2::RE2::Set::kNoError) return;
    }
    for (const Member& member : members_) {
      if (member.regex != nullptr && re2::RE2::FullMatch(text, *member.regex)) visit(member);
    }
  }

 private:
  std::vector<Member> members_;
  re2::RE2::Set set_;
  bool compiled_ = false;
  uint32_t lowest_;
};

}  // namespace sluice::route
