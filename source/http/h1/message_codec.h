// What the codecs of both sides do alike: bytes that wait for the rest of their message, the body and the trailer
// section of what is read, the length of what is sent. A template, since it stands in front of every byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "source/http/codec.h"
#include "source/http/h1/body_reader.h"
#include "source/http/h1/carry.h"
#include "source/http/h1/fault.h"
#include "source/http/h1/head_parser.h"

namespace sluice::http::h1 {

// `Codec` derives from this, is its friend, and has
//
//   static constexpr bool kReadsRequests
//   size_t process(std::string_view in)        takes what it can from the front of `in`; returns how much
//   void trailersFollow()                      the body is read, its trailer section is not
//   void inputEnds(bool input_left)            the message is read; its last event follows
//   void onData(std::string_view, bool end)    the events of its side
//   Trailers& beginTrailers()
//   void onTrailers()
//   void fail(Fault fault)
template <typename Codec>
class MessageCodec {
 protected:
  MessageCodec(ByteSink& sink, const CodecLimits& limits) : sink_(sink), limits_(limits) {}

  // Processes what was kept and `bytes`; keeps what is not taken.
  void take(std::string_view bytes);
  // Both take from the front of `in`. The size is 0 where more is to come, or after a fault.
  void readBody(std::string_view& in);
  size_t readTrailers(std::string_view in);
  bool failed() const { return fault_ != Fault::kNone; }

  void write(std::string_view data) {
    if (!data.empty()) sink_.write(data);
  }
  // Part of a body with content-length. False: it was more than was announced, and the rest is dropped.
  bool writeAnnounced(std::string_view data) {
    const bool fits = data.size() <= left_to_send_;
    if (!fits) data = data.substr(0, static_cast<size_t>(left_to_send_));
    left_to_send_ -= data.size();
    write(data);
    return fits;
  }

  ByteSink& sink_;
  const CodecLimits limits_;

  Carry carry_;
  BlockEnd block_;
  BodyReader body_;
  uint64_t left_to_send_ = 0;  // of a message with content-length
  StreamId stream_ = 0;
  std::string upgrade_;  // where a tunnel is asked for: its protocol; empty for CONNECT
  Fault fault_ = Fault::kNone;
  bool head_request_ = false;  // HEAD

 private:
  Codec& codec() { return static_cast<Codec&>(*this); }
};

template <typename Codec>
void MessageCodec<Codec>::take(std::string_view bytes) {
  if (carry_.empty()) {
    const size_t taken = codec().process(bytes);
    if (taken < bytes.size()) carry_.append(bytes.substr(taken));
  } else {
    if (!bytes.empty()) carry_.append(bytes);
    carry_.drop(codec().process(carry_.view()));
  }
}

template <typename Codec>
void MessageCodec<Codec>::readBody(std::string_view& in) {
  std::string_view data;
  switch (body_.next(in, data)) {
    case BodyReader::Step::kMore:
      return;
    case BodyReader::Step::kData: {
      const bool last = body_.ended();
      if (last) codec().inputEnds(!in.empty());
      codec().onData(data, last);
      return;
    }
    case BodyReader::Step::kTrailers:
      codec().trailersFollow();
      return;
    case BodyReader::Step::kFault:
      return codec().fail(body_.fault());
  }
}

template <typename Codec>
size_t MessageCodec<Codec>::readTrailers(std::string_view in) {
  if (!block_.find(in, limits_.max_header_bytes)) return 0;
  if (block_.fault() != Fault::kNone) {
    codec().fail(block_.fault() == Fault::kHeadersTooLarge ? Fault::kTrailersTooLarge : block_.fault());
    return 0;
  }
  const size_t size = block_.size();
  block_.reset();
  if (size == 2) {
    codec().inputEnds(size < in.size());
    codec().onData({}, true);
    return size;
  }
  base::Arena dropped_arena;
  Trailers dropped(dropped_arena);
  Trailers& trailers = limits_.enable_trailers ? codec().beginTrailers() : dropped;
  if (const Fault fault = parseTrailers(in.substr(0, size), limits_, Codec::kReadsRequests, trailers).fault;
      fault != Fault::kNone) {
    codec().fail(fault);
    return 0;
  }
  codec().inputEnds(size < in.size());
  if (limits_.enable_trailers) {
    codec().onTrailers();
  } else {
    codec().onData({}, true);
  }
  return size;
}

}  // namespace sluice::http::h1
