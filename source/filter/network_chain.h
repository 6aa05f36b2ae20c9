// The filters in front of a terminal network filter, for one connection.
//
// A terminal filter makes one where Accepted has filters, before its net::Connection, and keeps it longer than that. It
// calls admit() once when the connection is established, serves it if that is true, and calls end() when it has closed
// it. What the filters do to bytes it does not see: they stand between the connection and its socket (byte_stage.h),
// which only chains pay for whose filters want it. Thread: the worker's.
#pragma once

#include <memory>
#include <string_view>

#include "source/filter/network_filter.h"
#include "source/net/connection.h"

namespace sluice::filter {

class ByteStage;

class NetworkChain final : public NetworkStream, private event::TurnTask {
 public:
  // Null if there are no filters. Takes those of `accepted` over, copies its facts, and puts a stage for bytes in place
  // of its transport if a filter wants one. The chain closes `connection` by closeNow().
  static std::unique_ptr<NetworkChain> make(Accepted& accepted, worker::WorkerServices& worker,
                                            LiveConnection& connection);
  ~NetworkChain() override;

  // The connection is established; `transport`: its own, or null. False: a filter closes it: closeNow() follows, at the
  // end of the loop's turn at the earliest.
  bool admit(net::Transport* transport);
  // The transport's handshake is over and filters are being asked: the connection counts as not established so far.
  bool asking() const;
  // Bytes go through filters: who closes behind his last bytes ends writing first, and waits until nothing is pending.
  bool seesBytes() const { return stage_ != nullptr; }
  // The connection is closed. Tells the filters; nothing of them runs after that.
  void end();

  // NetworkStream
  NetworkToken resumeToken() override;
  void close(const Close& close) override;

 private:
  friend class ByteStage;

  NetworkChain(Accepted& accepted, worker::WorkerServices& worker, LiveConnection& connection);

  void learn(net::Transport* transport);
  bool ask();
  bool closing() const { return closing_; }
  bool ended() const { return ended_; }
  void closeSoon();
  void wakeSoon() { worker_.loop.atTurnEnd(*this); }
  void runAtTurnEnd() override;

  const std::shared_ptr<const NetworkFilters> filters_;
  LiveConnection& connection_;
  ByteStage* stage_ = nullptr;  // the connection's; null: no filter wants it
  std::unique_ptr<event::Timer> delay_;
  std::string_view details_;  // of the close
  size_t asked_ = 0;
  bool refused_ = false;  // by admit() of the last of those asked
  bool closing_ = false;
  bool close_now_ = false;  // with the end of the turn
  bool ended_ = false;
};

// `terminal` behind `filters`; `terminal` itself if there are none.
std::shared_ptr<const TerminalNetworkFilter> makeFiltered(NetworkFilters filters,
                                                          std::shared_ptr<const TerminalNetworkFilter> terminal);

}  // namespace sluice::filter
