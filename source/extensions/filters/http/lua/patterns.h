// Patterns of Lua 5.1, with LuaJIT's %f and %g: matched in steps that are counted, on a stack of its own that is
// bounded.
//
// Nothing in here needs a destructor: who counts the steps may leave by an error of Lua.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sluice::extensions::http_filters::lua {

class Matcher {
 public:
  // Takes `steps` of what `owner` may do; may not return.
  using Spend = void (*)(void* owner, size_t steps);

  struct Capture {
    const char* begin;
    ptrdiff_t length;  // or one of these
    static constexpr ptrdiff_t kOpen = -1;
    static constexpr ptrdiff_t kPosition = -2;
  };

  // `pattern` ends with its first NUL, as in LuaJIT. Both live as long as this.
  Matcher(std::string_view subject, const char* pattern, Spend spend, void* owner)
      : begin_(subject.data()),
        end_(subject.data() + subject.size()),
        pattern_(pattern),
        first_(firstOf(pattern)),
        spend_(spend),
        owner_(owner) {}

  // Where the match that begins at `at` ends. Null: there is none, or the pattern has a fault.
  const char* match(const char* at);
  // The same of the first match at or behind `at`, which becomes its beginning.
  const char* search(const char*& at);
  // What is wrong with the pattern, where that was seen; null if nothing was.
  const char* fault() const { return fault_; }

  // Of a match.
  int captures() const { return captures_; }
  const Capture& capture(int i) const { return list_[i]; }

  const char* begin() const { return begin_; }
  const char* end() const { return end_; }
  // Takes the steps that were not taken yet.
  void settle();

 private:
  // What is done where the pattern does not go on.
  enum class Retry : uint8_t { kFewer, kMore, kSkip, kUnopen, kUnclose };
  struct Choice {
    uint32_t at;     // in the subject
    uint32_t other;  // kFewer: the least that `at` can be; kMore: the item; kUnclose: the capture
    uint32_t next;   // in the pattern
    Retry retry;
  };
  enum class Then : uint8_t { kGoesOn, kBack, kMatched, kFault };

  static char firstOf(const char* pattern);
  Then take(const char*& at, const char*& p);
  Then takeItem(const char*& at, const char*& p);
  Then open(const char* at, const char*& p);
  Then close(const char* at, const char*& p);
  Then balance(const char*& at, const char*& p);
  Then frontier(const char* at, const char*& p);
  Then repeat(const char*& at, const char*& p);
  bool retry(const char*& at, const char*& p);
  Then push(Retry retry, const char* at, const char* next, uint32_t other);
  const char* itemEnd(const char* p);
  const char* behindAll(const char* at, const char* item, const char* next);
  template <typename Is>
  const char* behindAll(const char* at, size_t cost, Is is);
  bool isAt(const char* at, const char* item, const char* next);
  void step(size_t steps) {
    steps_ += steps;
    if (steps_ >= kBatch) settle();
  }
  Then fail(const char* fault) {
    fault_ = fault;
    return Then::kFault;
  }

  static constexpr size_t kBatch = 4096;
  static constexpr int kMostCaptures = 32;
  static constexpr int kMostChoices = 199;  // LuaJIT's, which recurses 200 deep

  const char* const begin_;
  const char* const end_;
  const char* const pattern_;
  const char first_;  // each match begins with it; NUL: that is not known
  const Spend spend_;
  void* const owner_;
  const char* fault_ = nullptr;
  size_t steps_ = 0;
  int captures_ = 0;
  int choices_ = 0;
  Capture list_[kMostCaptures];
  Choice stack_[kMostChoices];
};

// The pattern is text that stands for itself.
bool isPlain(std::string_view pattern);

}  // namespace sluice::extensions::http_filters::lua
