// The `proxy-status` field of responses (RFC 9209): which error it was, as the response flags say, and why.
// Thread: any, immutable. (proto: HttpConnectionManager.ProxyStatusConfig)
#pragma once

#include <string>
#include <string_view>

#include "source/http/headers.h"
#include "source/stream/stream_info.h"

namespace sluice::session {

class ProxyStatus {
 public:
  struct Options {
    bool details = true;  // without them nothing of the two that follow
    bool termination_details = true;
    bool flags = true;
    bool recommended_code = false;  // the response gets the status that the RFC recommends for the error
  };
  // `name`: who says it, any text.
  ProxyStatus(std::string_view name, Options options);

  // Adds the field if there was an error. `may_change_code`: false for responses of gRPC, where the status is that of
  // the transport. That of a response without a body stays, too: another one would announce one.
  void write(const stream::StreamInfo& info, http::ResponseHeaders& headers, bool may_change_code) const;

 private:
  std::string detailsOf(const stream::StreamInfo& info) const;

  const std::string name_;  // as it stands in the field
  const Options options_;
};

}  // namespace sluice::session
