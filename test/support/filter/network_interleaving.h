// The suite that network filters pass which wait or see bytes: one connection in every order in which its events can
// come.
//
// Tried in all combinations: where the client's bytes are cut (at each byte); which of the client's next piece, its
// end, the answer of a call-out and the expiry of a timer comes next; and one fault in each place: the client resets,
// the client closes, a call-out is answered badly, or never. After each event and at the end these hold:
//
//   - a filter's hooks run in order: onNewConnection, then bytes, nothing behind the end of a direction, onEnd last,
//   once
//   - what the client got is a beginning of what is due; without a fault it is all of it, and the connection ends
//   - however it ended, no connection, filter or call-out is left 30 s later
//
// Run it with --config=asan to find what outlives its owner. Exhaustive up to `max_runs`; beyond that it goes on with
// as many drawn by chance from a fixed seed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "source/event/polled_loop.h"
#include "source/filter/network_filter.h"
#include "test/support/filter/fake_calls.h"

namespace sluice::filter::testing {

// A terminal filter with what stands behind it.
class NetworkBed {
 public:
  virtual ~NetworkBed() = default;
  virtual event::PolledLoop& loop() = 0;
  virtual void serve(Accepted accepted) = 0;
  virtual base::List<LiveConnection>& connections() = 0;
  // What is behind the terminal filter does its part.
  virtual void settle() {}
};

struct NetworkSuite {
  // The filters anew for each run.
  std::function<NetworkFilters()> filters;
  // A terminal filter whose worker has these calls.
  std::function<std::unique_ptr<NetworkBed>(Calls&)> bed;
  std::string request;      // the client's bytes
  std::string reply;        // what it gets
  std::string grpc_answer;  // to each gRPC call; a bad one is an error
  bool half_closes = true;  // the client ends its side behind its bytes; else it waits for the other's end
  bool closes = false;      // a filter closes: the client gets a beginning of the reply
  size_t max_runs = 200;
};

// What is wrong, with the events that led to it; empty if nothing is. `runs`: how many were made.
std::string runNetworkInterleavings(const NetworkSuite& suite, size_t* runs = nullptr);

// Several chains in front of one terminal filter, each in all orders: those of network_filters.h alone and together.
// `request` and `reply`: as the terminal filter sees them. The first thing that is wrong.
std::string runNetworkFilters(const std::function<std::unique_ptr<NetworkBed>(Calls&)>& bed, const std::string& request,
                              const std::string& reply, bool half_closes = true);

}  // namespace sluice::filter::testing
