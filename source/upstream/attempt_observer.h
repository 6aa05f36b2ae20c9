// Who is told of all attempts of one worker at the hosts of a cluster: ejection of hosts, spans, counts of its own
// kind.
#pragma once

#include "source/base/intrusive_list.h"
#include "source/http/headers.h"
#include "source/upstream/attempt_end.h"

namespace sluice::upstream {

class Attempt;

// In the list of a cluster (WorkerCluster::observers) until it is destroyed or unlinked. Thread: the worker's. An
// observer looks on: it ends no attempt, and adds or destroys no other observer in what it is told.
class AttemptObserver : public base::ListNode {
 public:
  virtual ~AttemptObserver() = default;
  // A host was taken, and its pool is about to be asked for a connection.
  virtual void onAttemptBegin(const Attempt& attempt) = 0;
  // The final head of the response has come: Attempt::status().
  virtual void onAttemptHead(const Attempt& attempt) = 0;
  // The response ends with these, and with them the attempt.
  virtual void onAttemptTrailers(const Attempt&, const http::Trailers&) {}
  // It takes longer than its user likes, who makes another one beside it and goes on waiting for this one. Once at
  // most.
  virtual void onAttemptSlow(const Attempt&) {}
  // Once for each beginning, while the host is still held.
  virtual void onAttemptEnd(const Attempt& attempt, const AttemptEnd& end) = 0;
};

}  // namespace sluice::upstream
