// A part of a file as the body of an answer, read piece by piece as its client takes it. Thread: the worker of the
// stream, which waits where the disk does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "source/base/shared_limit.h"
#include "source/event/loop.h"
#include "source/filter/reply.h"
#include "source/net/socket.h"

namespace sluice::extensions::http_filters::file_server {

class FileBody : public filter::ReplyBody {
 public:
  static constexpr size_t kPiece = 64 * 1024;
  // Behind so many bytes the others of the worker have their turn.
  static constexpr size_t kTurn = 4 * kPiece;

  // Bytes from `begin` to in front of `end`. `place`: among the files that are open.
  FileBody(net::Fd fd, uint64_t begin, uint64_t end, event::Loop& loop, base::LimitUnit place)
      : fd_(std::move(fd)), at_(begin), end_(end), loop_(loop), place_(std::move(place)) {}

  // Fails if the file has become shorter.
  Read read(size_t room, std::string& piece) override;

 private:
  const net::Fd fd_;
  uint64_t at_;
  const uint64_t end_;
  size_t turn_ = 0;  // bytes of this one
  event::Loop& loop_;
  const base::LimitUnit place_;
  std::shared_ptr<FileBody*> self_;  // for what is posted, which may come when this is gone
};

// Of answers that have none.
class NoBody : public filter::ReplyBody {
 public:
  Read read(size_t, std::string&) override { return Read::kEnd; }
};

}  // namespace sluice::extensions::http_filters::file_server
