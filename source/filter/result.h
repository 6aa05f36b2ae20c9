// What a filter's hooks return. A local reply is a return value, so nothing of the filter runs after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "source/filter/reply.h"

namespace sluice::filter {

// Go on to the next filter.
struct Next {};
// From a headers hook: bring me the whole body first, at most `limit` bytes. The body hook runs when it is complete; a
// larger body is answered 413 (request) or 500 (response), unless `partial`: then the hook gets what has come, which is
// more than `limit` bytes, and the rest follows as chunks; or it returns Collect for more, if it has replaced nothing,
// and gets the beginning again with what has come. A head that asks for a tunnel, or accepts one, is all of its
// message: the hook runs at once with an empty body.
struct Collect {
  size_t limit;
  bool partial = false;
};
// Wait. The hook has taken a token (Context::resumeToken) that decides how it goes on; without one the stream is reset.
struct Pause {};

class [[nodiscard]] HookResult {
 public:
  enum class Kind : uint8_t { kNext, kCollect, kPause, kReply };

  HookResult(Next) : kind_(Kind::kNext) {}                                   // NOLINT: returned as it stands
  HookResult(Collect collect) : kind_(Kind::kCollect), collect_(collect) {}  // NOLINT
  HookResult(Pause) : kind_(Kind::kPause) {}                                 // NOLINT
  HookResult(Reply reply) : kind_(Kind::kReply), reply_(new Reply(std::move(reply))) {}  // NOLINT

  Kind kind() const { return kind_; }
  Collect collect() const { return collect_; }
  Reply& reply() { return *reply_; }

 private:
  Kind kind_;
  Collect collect_{0};
  std::unique_ptr<Reply> reply_;
};

}  // namespace sluice::filter
