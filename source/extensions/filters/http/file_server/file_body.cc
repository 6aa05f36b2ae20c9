#include "source/extensions/filters/http/file_server/file_body.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sluice::extensions::http_filters::file_server {

filter::ReplyBody::Read FileBody::read(size_t room, std::string& piece) {
  if (at_ == end_) return Read::kEnd;
  if (turn_ >= kTurn) {
    turn_ = 0;
    if (!self_) self_ = std::make_shared<FileBody*>(this);
    loop_.post([body = std::weak_ptr(self_)] {
      if (const auto alive = body.lock()) (*alive)->ready();
    });
    return Read::kLater;
  }
  piece.resize(static_cast<size_t>(std::min<uint64_t>({room, kPiece, end_ - at_})));
  ssize_t got = 0;
  do {
    got = pread(fd_.get(), piece.data(), piece.size(), static_cast<off_t>(at_));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return Read::kFailed;
  piece.resize(static_cast<size_t>(got));
  at_ += piece.size();
  turn_ += piece.size();
  return at_ == end_ ? Read::kEnd : Read::kMore;
}

}  // namespace sluice::extensions::http_filters::file_server
