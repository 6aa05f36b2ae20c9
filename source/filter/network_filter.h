// The network filter API: what may stand in front of the terminal network filter of a chain.
//
//   // Lets a connection in once a service has said so.
//   NetworkResult onNewConnection(NetworkStream& stream) override {
//     token_ = stream.resumeToken();
//     call_ = stream.calls().send(request_, [this](const HttpCallResponse& answer) {
//       answer.status == 200 ? token_.resume() : token_.close({"not_welcome"});
//     });
//     return Pause{};
//   }
//
// A factory is compiled once and shared by all workers. What it can decide on the spot, when the connection is
// established (after the TLS handshake, before the first byte), it decides in admit(), without an object. Where it
// wants to wait, or to see bytes, it makes a NetworkFilter for each connection, which runs on the connection's worker
// only and lives as long as the connection.
//
// Order: admit() and onNewConnection() first to last, each filter's after those of the filters in front of it have let
// the connection through; onData() first to last; onWrite() last to first. The terminal filter sees nothing of a
// connection that is not let through, and afterwards what onData() lets through, with its ends in order behind it. No
// hook runs once the connection is closed, but the one that says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "source/filter/calls.h"
#include "source/filter/chunk.h"
#include "source/filter/network.h"
#include "source/filter/network_token.h"
#include "source/filter/result.h"
#include "source/observability/stats.h"
#include "source/worker/services.h"

namespace sluice::filter {

// What a hook returns: Next, Pause (it has taken a token) or Close.
class [[nodiscard]] NetworkResult {
 public:
  enum class Kind : uint8_t { kNext, kPause, kClose };

  NetworkResult(Next) : kind_(Kind::kNext) {}                         // NOLINT: returned as it stands
  NetworkResult(Pause) : kind_(Kind::kPause) {}                       // NOLINT
  NetworkResult(Close close) : kind_(Kind::kClose), close_(close) {}  // NOLINT

  Kind kind() const { return kind_; }
  const Close& close() const { return close_; }

 private:
  Kind kind_;
  Close close_ = {};
};

// What a filter may see and touch of its connection. Thread: the connection's worker.
class NetworkStream {
 public:
  explicit NetworkStream(worker::WorkerServices& worker, ConnectionFacts facts = {})
      : worker_(worker), facts_(std::move(facts)) {}
  virtual ~NetworkStream() = default;
  NetworkStream(const NetworkStream&) = delete;
  NetworkStream& operator=(const NetworkStream&) = delete;

  ConnectionFacts& facts() { return facts_; }
  const ConnectionFacts& facts() const { return facts_; }
  // Where a filter's WorkerLocals are.
  worker::WorkerServices& worker() { return worker_; }
  observability::StatsCells& cells() { return worker_.cells; }
  event::TimePoint now() const { return worker_.loop.now(); }
  // Call-outs and timers. A handle must be kept: it cancels when destroyed.
  Calls& calls() { return worker_.calls; }

  // The right to go on after Pause. Inside a hook of a NetworkFilter, at most once.
  virtual NetworkToken resumeToken() = 0;
  // Closes the connection from wherever the filter is called, not before the present turn of the loop ends. The first
  // close counts.
  virtual void close(const Close& close) = 0;

 protected:
  worker::WorkerServices& worker_;
  ConnectionFacts facts_;
};

class NetworkFilter {
 public:
  virtual ~NetworkFilter() = default;

  // The connection is established. While it waits here nothing is read of the client.
  virtual NetworkResult onNewConnection(NetworkStream&) { return Next{}; }
  // Bytes of the client. The chunk with endStream() is the last; it has no bytes of the client, but may be given some.
  // While a chunk waits no more is read; the end, or a reset, stays behind it.
  virtual NetworkResult onData(Chunk&, NetworkStream&) { return Next{}; }
  // Bytes for the client, in the same way. While a chunk waits, what follows counts as not sent for the terminal
  // filter.
  virtual NetworkResult onWrite(Chunk&, NetworkStream&) { return Next{}; }
  // The connection is closed; only for a filter whose onNewConnection() ran. Nothing can be sent any more.
  virtual void onEnd(NetworkStream&) {}
};

// A network filter, compiled. Immutable but for counts of its own, shared by all workers.
class NetworkFilterFactory {
 public:
  virtual ~NetworkFilterFactory() = default;

  // The filter of one connection; null: admit() says all. Called as the connection is accepted.
  virtual std::unique_ptr<NetworkFilter> create() const { return nullptr; }
  // Next or Close. Asked in front of the filter's onNewConnection().
  virtual NetworkResult admit(NetworkStream&) const { return Next{}; }
  // A connection that this was asked about is over. `admitted`: what admit() said.
  virtual void onEnd(NetworkStream&, bool admitted) const { (void)admitted; }
};

}  // namespace sluice::filter
