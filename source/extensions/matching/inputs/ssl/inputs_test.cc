#include "source/extensions/matching/inputs/ssl/inputs.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "source/stream/stream_info.h"

namespace sluice::extensions::matching::inputs::ssl {
namespace {

// A transport that tells of its peer and does nothing else.
struct Tls : net::Transport {
  net::TlsInfo info;

  Status handshake(const Io&) override { return Status::kDone; }
  Result read(const Io&, char*, size_t) override { return {Status::kWantRead}; }
  Result write(const Io&, const iovec*, int) override { return {Status::kDone}; }
  void sendEnd(const Io&) override {}
  const net::TlsInfo* tlsInfo() override { return &info; }
};

// "-" for none.
std::string read(const match::Input& input, const stream::StreamInfo* info) {
  Scratch scratch;
  Data data;
  data.info = info;
  return std::string(input.get(data, scratch).text.value_or("-"));
}

TEST_CASE("the names of a client's certificate are joined by commas") {
  Tls tls;
  tls.info.peer_presented = true;
  tls.info.peer.uri_sans = {"spiffe://a/b", "spiffe://a/c"};
  tls.info.peer.dns_sans = {"a.example"};
  tls.info.peer.subject = "CN=a";
  stream::StreamInfo info;
  info.downstream_transport = &tls;

  CHECK(read(UriSan(), &info) == "spiffe://a/b,spiffe://a/c");
  CHECK(read(DnsSan(), &info) == "a.example");
  CHECK(read(Subject(), &info) == "CN=a");
}

TEST_CASE("without TLS, a certificate or such a name in it there is no value") {
  Tls tls;
  stream::StreamInfo plain, without;
  without.downstream_transport = &tls;

  for (const stream::StreamInfo* info :
       {static_cast<const stream::StreamInfo*>(nullptr), &std::as_const(plain), &std::as_const(without)}) {
    CHECK(read(UriSan(), info) == "-");
    CHECK(read(DnsSan(), info) == "-");
    CHECK(read(Subject(), info) == "-");
  }
  tls.info.peer_presented = true;
  CHECK(read(UriSan(), &without) == "-");
  CHECK(read(DnsSan(), &without) == "-");
  CHECK(read(Subject(), &without) == "-");
}

}  // namespace
}  // namespace sluice::extensions::matching::inputs::ssl
