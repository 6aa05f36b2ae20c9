// What a formatter may read. Made on the stack for one call; everything in it is borrowed.
#pragma once

#include <string_view>

#include "source/http/headers.h"
#include "source/stream/access_log_type.h"
#include "source/stream/body_values.h"
#include "source/stream/stream_info.h"

namespace sluice::stream {

struct FormatContext {
  const http::RequestHeaders* request = nullptr;    // null: no request was understood
  const http::ResponseHeaders* response = nullptr;  // null: no response was made
  const http::Trailers* trailers = nullptr;         // of the response
  const StreamInfo& info;
  std::string_view local_reply_body = {};       // %LOCAL_REPLY_BODY%
  AccessLogType type = AccessLogType::kNotSet;  // %ACCESS_LOG_TYPE%
  const BodyValues* bodies = nullptr;           // %REQUEST_BODY%, %RESPONSE_BODY%; null: none
};

}  // namespace sluice::stream
