// The one-shot right to let a paused stream go on.
//
// A hook takes it from Context::resumeToken(), gives it to whatever it waits for, and returns Pause. Dropped unused it
// resets the stream (and counts `downstream_rq_dropped_token`), so that a forgotten stream cannot hang. When the stream
// ends first the token goes dead: using it does nothing. Thread: the stream's worker.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "source/base/intrusive_list.h"
#include "source/filter/result.h"

namespace sluice::filter {

class ChainRunner;
enum class Direction : uint8_t { kRequest = 0, kResponse = 1 };

class ResumeToken : private base::ListNode {
 public:
  ResumeToken() = default;
  ResumeToken(ResumeToken&& other) noexcept;
  ResumeToken& operator=(ResumeToken&& other) noexcept;
  ~ResumeToken() { drop(); }

  // True while the stream waits for this token.
  explicit operator bool() const { return runner_ != nullptr; }

  // On to the next filter, with what was held.
  void resume();
  // As resume(), with the chunk (or collected body) that the hook paused on replaced. A headers hook has none: there
  // `chunk` goes on right behind the headers, as the whole body if there was none. A trailers hook: resume().
  void resumeWith(std::string chunk);
  // Of a headers hook: what the hook would have done by returning Collect. With a head that nothing follows: resume().
  void collect(Collect collect);
  void reply(Reply reply);
  // Gives up: resets the stream.
  void drop();

 private:
  friend class ChainRunner;
  friend class base::List<ResumeToken>;
  ResumeToken(ChainRunner& runner, Direction direction, uint8_t position);

  ChainRunner* runner_ = nullptr;
  Direction direction_ = Direction::kRequest;
  uint8_t position_ = 0;
};

}  // namespace sluice::filter
