// Where the interleaving suite lets its exchanges happen: on a bare chain, or in a session that speaks to a client.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "test/support/filter/choices.h"
#include "test/support/filter/harness.h"
#include "test/support/filter/interleaving.h"

namespace sluice::filter::testing {

// One message as the events that bring it.
struct Events {
  struct Event {
    enum Kind { kHead, kData, kTrailers } kind;
    std::string bytes;
    bool end_stream = false;
  };
  std::vector<Event> list;
  size_t at = 0;

  bool done() const { return at == list.size(); }

  Events(const Message& message, size_t split)
      : Events(message, {message.body.substr(0, split), message.body.substr(split)}) {}
  // `parts`: of its body.
  Events(const Message& message, const std::vector<std::string>& parts) {
    const bool only_head = message.body.empty() && !message.has_trailers;
    list.push_back({Event::kHead, "", only_head});
    for (const std::string& part : parts) {
      if (!part.empty()) list.push_back({Event::kData, part, false});
    }
    if (message.has_trailers) {
      list.push_back({Event::kTrailers, "", true});
    } else {
      list.back().end_stream = true;
    }
  }
};

// One exchange: the client and the session's clock are the bed's, the upstream and the call-outs are the suite's.
class Bed {
 public:
  using Chain = std::vector<ChainConfig::Entry>;

  virtual ~Bed() = default;

  // A new exchange.
  virtual void begin(Chain chain, Events request, Choices& choices) = 0;
  // Whether some of the request is still to come and may come now, and the next piece of it.
  virtual bool mayBringRequest() = 0;
  virtual void bringRequest() = 0;
  virtual bool requestBegan() const = 0;
  virtual bool requestDone() const = 0;
  // The client goes, in one of the ways that it has.
  virtual void clientGone() = 0;
  // A deadline of the session is over.
  virtual void timeOut() = 0;
  // After each event: what it has led to happens.
  virtual void settle() = 0;
  // Nothing more can come.
  virtual bool over() = 0;
  // Ends what is not over, and frees it. What was left behind, or nothing.
  virtual std::string close() = 0;

  virtual Log& log() = 0;
  virtual FakeCalls& calls() = 0;
  virtual const ClientRecord& client() = 0;
  virtual FakeTerminal& terminal() = 0;
  // Null when there is no stream: not yet, or no more.
  virtual ChainRunner* runner() = 0;
  virtual Stream* stream() = 0;
};

// A session with one connection at a time on a socket pair, in virtual time.
class SessionBed : public Bed {
 public:
  virtual worker::testing::TestWorker& worker() = 0;
  // The client reads nothing of what comes, or goes on reading.
  virtual void hold(bool on) = 0;
};

constexpr uint32_t kDefaultWindow = 65535;

struct SessionBedOptions {
  // How many cuts by chance the request's bytes have, beside one at each byte in turn.
  size_t cuts = 1;
  // Timers of filters expire in the session's time, instead of when the suite says so.
  bool filter_timers = false;
  // Bytes of a response that an HTTP/2 client takes before it has read on once; by default it takes no more at all.
  uint32_t window = kDefaultWindow;
  // Of the server's socket, in bytes; 0: as it is.
  int send_buffer = 0;
  worker::LocalSlots slots = {};
};

std::unique_ptr<SessionBed> makeSessionBed(const Suite& suite, Protocol protocol, SessionBedOptions options = {});

}  // namespace sluice::filter::testing
