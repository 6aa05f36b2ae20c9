// The host's end of one HTTP/2 connection, under the test's control: frames in, lines of text out.
#pragma once

#include <string>
#include <string_view>

#include "source/event/polled_loop.h"
#include "source/http/h2/test_peer.h"
#include "source/upstream/pool/test_upstream.h"

namespace sluice::upstream::pool {

class H2Host {
 public:
  H2Host(event::PolledLoop& loop, TestUpstream& upstream, size_t peer = 0)
      : loop_(loop), upstream_(upstream), peer_(peer) {}

  // What came since, a line a frame; SETTINGS and WINDOW_UPDATE of the connection left out.
  std::string seen() {
    loop_.turn();
    std::string out;
    for (const std::string& line : reader_.read(upstream_.peer(peer_).take())) {
      if (line.starts_with("SETTINGS") || line.starts_with("WINDOW_UPDATE 0")) continue;
      out += line + "\n";
    }
    return out;
  }
  void send(std::string_view frames) {
    upstream_.accept();
    upstream_.peer(peer_).send(frames);
    loop_.turn();
  }
  void settings(uint32_t max_streams) { send(http::h2::settings(http::h2::setting(3, max_streams))); }
  std::string head(uint32_t stream, const http::h2::Fields& fields, bool end = false) {
    using namespace http::h2;
    return frame(kHeaders, static_cast<uint8_t>(kEndHeaders | (end ? kEndStream : 0)), stream, deflater_.block(fields));
  }
  // 200 with "ok".
  std::string ok(uint32_t stream) { return head(stream, {{":status", "200"}}) + http::h2::data(stream, "ok", true); }
  TestPeer& peer() { return upstream_.peer(peer_); }

 private:
  event::PolledLoop& loop_;
  TestUpstream& upstream_;
  size_t peer_;
  http::h2::FrameReader reader_;
  http::h2::Deflater deflater_;
};

}  // namespace sluice::upstream::pool
