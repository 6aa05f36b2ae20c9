// How an answer that is made here looks on the wire.
#pragma once

#include <string>

#include "source/filter/reply.h"
#include "source/http/headers.h"

namespace sluice::filter {

class Stream;

// Changes answers before they go, whoever made them: status, body, headers. One for a connection manager
// (reply_rules.h); immutable, shared by all workers.
class ReplyMapper {
 public:
  virtual ~ReplyMapper() = default;
  // Once for each answer, also for one that comes too late and resets the stream instead.
  virtual void map(Reply& reply, Stream& stream) const = 0;
};

// Writes the head of the reply to `request` in place of what stands in `headers`. Returns the body; empty if there is
// none, or if it is streamed.
std::string writeReply(Reply& reply, const http::RequestHeaders& request, http::ResponseHeaders& headers);

}  // namespace sluice::filter
