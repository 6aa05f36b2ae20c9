// The filters of a connection that see bytes or wait, as a transport: between the connection, which a terminal filter
// owns and which knows nothing of them, and its socket or the transport that was there (TLS).
//
// The connection pulls. One chunk at a time is on its way through the filters in each direction; where a filter pauses,
// the chunk waits, and what follows stays where it was: the client's bytes unread in the kernel, the terminal's in the
// connection's queue. So nothing overtakes anything, an end or a reset stays behind the bytes in front of it, and no
// more waits here than `limit` in each direction (what filters make of it aside). Establishing is the end of the
// transport's handshake. Thread: the worker's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "source/buffer/byte_queue.h"
#include "source/filter/network_filter.h"
#include "source/net/connection.h"
#include "source/net/transport.h"

namespace sluice::filter {

class NetworkChain;

class ByteStage final : public net::Transport {
 public:
  using Filters = std::vector<std::unique_ptr<NetworkFilter>>;

  // `filters`: by position; null where a factory has made none. `below`: null for a plain socket. `limit`: in bytes.
  // The chain outlives it.
  ByteStage(NetworkChain& chain, Filters filters, net::TransportPtr below, net::WorkerBuffers& buffers, size_t limit);
  ~ByteStage() override;

  // --- from the chain ---
  bool asking() const { return below_done_ && !established_; }
  // Whether no filter waits in the connection's establishment; takes note of a resume.
  bool mayGoOn();
  // Asks the filter at `position`. Whether the next may be asked.
  bool open(size_t position);
  NetworkToken token();
  // A filter closes the connection, perhaps later: what is on its way from the client is dropped.
  void stopReading();
  // Lets the connection fetch and bring what waited.
  void goOn();
  // The connection is closed.
  void end();
  void tellEnd(size_t position);

  // net::Transport
  void attach(net::Connection& connection) override;
  Status handshake(const Io& io) override;
  Result read(const Io& io, char* to, size_t size) override;
  Result write(const Io& io, const iovec* vectors, int count) override;
  void sendEnd(const Io& io) override;
  bool holdsInput() const override;
  bool secure() const override { return below_ && below_->secure(); }
  void idle() override;
  int socketError() const override { return below_ ? below_->socketError() : error_; }
  std::string_view failure() const override { return below_ ? below_->failure() : std::string_view(); }
  std::string_view applicationProtocol() const override;
  std::string_view serverName() const override { return below_ ? below_->serverName() : std::string_view(); }
  const net::TlsInfo* tlsInfo() override { return below_ ? below_->tlsInfo() : nullptr; }

 private:
  friend class NetworkToken;

  enum DirectionIndex : uint8_t { kRead, kWrite };
  struct Lane {
    enum State : uint8_t { kOpen, kPaused, kResumed };
    State state = kOpen;
    bool in_hook = false;
    bool closed = false;  // by a filter of this direction: nothing passes any more
    bool held_end = false;
    size_t position = 0;            // of the filter that waits
    std::string held;               // what it waits with
    NetworkToken* token = nullptr;  // taken and not used
    std::optional<std::string> replacement;
  };
  // Vectors of one write() of the connection, piece by piece.
  class Source;

  NetworkFilter* filterAt(DirectionIndex direction, size_t position);
  bool goesOn(DirectionIndex direction, const NetworkResult& result);
  bool pass(DirectionIndex direction, Chunk& chunk, size_t position);
  bool passHeld(DirectionIndex direction, std::string& bytes, bool& end);
  void kill(Lane& lane);
  Result deliver(std::string_view bytes, char* to, size_t size, bool drained);
  void lookForEnd(int fd);
  bool feed(Source& source);
  Status flush(const Io& io);
  Result receive(const Io& io, char* to, size_t size);
  Result send(const Io& io, const iovec* vectors, int count);
  // From tokens.
  void resume(uint8_t direction, std::optional<std::string> replacement);
  void closeFrom(uint8_t direction, const Close& close);

  NetworkChain& chain_;
  Filters filters_;
  const net::TransportPtr below_;
  net::Connection* connection_ = nullptr;
  const size_t limit_;
  Lane lanes_[2];
  buffer::ByteQueue ready_;           // for the connection, through all filters
  std::optional<Status> client_end_;  // how the client's bytes ended, once that was read
  bool end_ready_ = false;            // the end is through the filters, behind ready_
  buffer::ByteQueue out_;             // for the client, through all filters
  bool below_blocked_ = false;        // the transport below holds bytes that the socket did not take
  bool end_wanted_ = false;           // sendEnd()
  bool end_taken_ = false;            // the end is on its way through the filters
  bool end_passed_ = false;
  bool end_sent_ = false;
  bool below_done_;      // its handshake
  bool learnt_ = false;  // the chain has its facts
  bool established_ = false;
  int error_ = 0;  // of a plain socket's call that failed
};

}  // namespace sluice::filter
