// Frames that a server may send to a client with a few requests out: the owner hears each stream in order, and what the
// client writes is whole frames.
#include "source/http/h2/fuzz/owner.h"

namespace sluice::http::h2 {
namespace {

class Owner final : public ClientEvents {
 public:
  explicit Owner(uint32_t seed, const CodecLimits& limits)
      : script_(seed), codec(makeClientCodec(*this, sink, limits, {})) {
    for (int i = 0; i < 4; ++i) send();
  }

  ResponseHeaders& beginResponse(StreamId stream) override {
    message_[stream] = std::make_unique<Message<ResponseHeaders>>();
    return message_[stream]->head;
  }
  void onInformational(StreamId stream) override {
    require(!heard_[stream].head, "informational heads come in front of the final one");
    require(message_[stream]->head.status < 200 && message_[stream]->head.status != 101, "what is informational");
  }
  void onResponseHeaders(StreamId stream, bool end) override {
    heardHead(heard_[stream], end);
    checkFields(message_[stream]->head);
    require(message_[stream]->head.status >= 101, "a final head has a status");
  }
  void onResponseData(StreamId stream, std::string_view data, bool end) override {
    heardBody(heard_[stream], end);
    if (script_.next(2) != 0) codec->consumed(stream, data.size());
    act(stream);
  }
  Trailers& beginResponseTrailers(StreamId stream) override { return message_.at(stream)->trailers; }
  void onResponseTrailers(StreamId stream) override {
    heardBody(heard_[stream], true);
    checkFields(message_[stream]->trailers);
  }
  void onResponseReset(StreamId stream, ResetReason) override {
    heardReset(heard_[stream]);
    if (script_.next(2) != 0 && heard_.size() < 100) send();
  }
  void onSendProgress(StreamId stream) override { act(stream); }

  void send() {
    base::Arena arena;
    RequestHeaders head(arena);
    const uint32_t kind = script_.next(5);
    head.method = kind == 0 ? "HEAD" : kind == 1 ? "CONNECT" : "POST";
    head.path = kind == 1 ? "" : "/";
    head.authority = "a";
    if (kind == 2 && codec->upgrades() == ClientCodec::Upgrades::kTaken) head.upgrade = "websocket";
    const uint32_t free = codec->freeStreams();
    const StreamId id = codec->sendHeaders(head, kind == 0);
    require((id == 0) == (free == 0), "a stream starts where one is free");
    if (id != 0) heard_[id] = {};
  }
  void act(StreamId stream) {
    switch (script_.next(6)) {
      case 0:
        return codec->reset(stream, ResetReason::kLocal);
      case 1: {
        base::Arena arena;
        Trailers trailers(arena);
        trailers.add("x-sum", "1");
        return codec->sendTrailers(stream, trailers);
      }
      default:
        return codec->sendData(stream, std::string(script_.next(3000), 'x'), script_.next(4) == 0);
    }
  }
  void actOnAll() {
    for (const auto& [stream, heard] : heard_) act(stream);
  }

  StringSink sink;

 private:
  std::map<StreamId, Heard> heard_;
  std::map<StreamId, std::unique_ptr<Message<ResponseHeaders>>> message_;
  Script script_;

 public:
  std::unique_ptr<ClientCodec> codec;
};

}  // namespace
}  // namespace sluice::http::h2

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice::http::h2;
  if (size < 2 || size > 100000) return 0;
  sluice::http::CodecLimits limits;
  limits.enable_trailers = !(data[0] & 1);
  if (data[0] & 2) limits.max_header_bytes = 100;
  Owner owner(data[1], limits);
  FrameReader reader;
  std::string bytes = data[0] & 4 ? std::string() : settings(data[0] & 8 ? setting(4, 10) : setting(8, 1));
  bytes.append(reinterpret_cast<const char*>(data) + 2, size - 2);
  Script cuts(data[1]);
  for (size_t at = 0; at < bytes.size();) {
    const size_t piece = std::min<size_t>(bytes.size() - at, data[0] & 128 ? bytes.size() : 1 + cuts.next(60));
    const std::vector<char> exact(bytes.begin() + static_cast<ptrdiff_t>(at),
                                  bytes.begin() + static_cast<ptrdiff_t>(at + piece));
    at += piece;
    if (owner.codec->receive({exact.data(), exact.size()})) {
      require(!owner.codec->reusable(), "nothing starts behind an error");
      break;
    }
    if (cuts.next(4) == 0) owner.actOnAll();
  }
  (void)owner.codec->receiveEnd();
  owner.actOnAll();
  for (const std::string& line : reader.read(owner.sink.take())) {
    require(line.find("BAD_BLOCK") == std::string::npos, "header blocks of ours can be read");
  }
  require(reader.whole(), "whole frames are written");
  return 0;
}
