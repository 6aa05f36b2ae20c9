// How an answer that is made here looks on the wire.
#pragma once

#include <string>

#include "source/filter/reply.h"
#include "source/http/headers.h"

namespace sluice::filter {

class Stream;

// Changes answers before they go, whoever made them: status, body, headers. One for a connection manager; immutable,
// shared by all workers. (proto: HttpConnectionManager.local_reply_config)
class ReplyMapper {
 public:
  virtual ~ReplyMapper() = default;
  virtual void map(Reply& reply, const Stream& stream) const = 0;
};

// Writes the head of the reply to `request` in place of what stands in `headers`. Returns the body; empty if there is
// none, or if it is streamed.
std::string writeReply(Reply& reply, const http::RequestHeaders& request, http::ResponseHeaders& headers);

}  // namespace sluice::filter
