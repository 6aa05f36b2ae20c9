// What the log tells of attempts that go on while another one is made beside them: it tells of the last one, and if one
// of these gives the answer, of that. Thread: the worker's.
#pragma once

#include <cstdint>
#include <vector>

#include "source/base/local_ptr.h"
#include "source/stream/stream_info.h"
#include "source/upstream/attempt.h"

namespace sluice::router {

class AttemptNotes {
 public:
  // `info` tells of this attempt and is about to tell of another one.
  void keep(const upstream::Attempt& attempt, const stream::StreamInfo& info);
  // It gave the answer: it is the last of those that were made, and what was told of its connection is told again. The
  // host is the caller's to describe.
  void putBack(const upstream::Attempt& attempt, stream::StreamInfo& info) const;

 private:
  struct Note {
    const upstream::Attempt* attempt;  // only compared
    uint64_t connection_id;
    base::LocalPtr<stream::UpstreamTls> tls;
    stream::StreamInfo::Offset request_start, pool_wait;
    stream::StreamInfo::UpstreamConnect connect;
  };
  std::vector<Note> notes_;
};

}  // namespace sluice::router
