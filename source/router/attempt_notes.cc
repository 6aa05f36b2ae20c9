#include "source/router/attempt_notes.h"

#include <algorithm>

namespace sluice::router {

void AttemptNotes::keep(const upstream::Attempt& attempt, const stream::StreamInfo& info) {
  std::erase_if(notes_, [&attempt](const Note& note) { return note.attempt == &attempt; });  // of an earlier turn
  notes_.push_back({&attempt, info.upstream_connection_id, info.upstream_tls, info.upstream_request_start,
                    info.upstream_pool_wait, info.upstream_connect});
}

void AttemptNotes::putBack(const upstream::Attempt& attempt, stream::StreamInfo& info) const {
  const auto note =
      std::find_if(notes_.begin(), notes_.end(), [&attempt](const Note& one) { return one.attempt == &attempt; });
  if (note == notes_.end()) return;
  info.noteAttempt();
  auto& attempted = *info.attempted;
  const auto own = std::find_if(attempted.begin(), attempted.end(),
                                [&note](const auto& one) { return one.connection_id == note->connection_id; });
  if (own != attempted.end()) attempted.erase(own);
  info.upstream_connection_id = note->connection_id;
  info.upstream_tls = note->tls;
  info.upstream_request_start = note->request_start;
  info.upstream_pool_wait = note->pool_wait;
  info.upstream_connect = note->connect;
}

}  // namespace sluice::router
