// Bytes to a host of a cluster and back, whatever carries them: a connection (TcpConnection), or a tunnel through an
// HTTP proxy. Each side ends by itself. Thread: the worker's.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "source/event/loop.h"
#include "source/upstream/cluster/host.h"

namespace sluice::upstream {

// Its owner. Calls come from the loop, never from inside of a call into the stream; none after it was let go of.
class HostStreamEvents {
 public:
  virtual ~HostStreamEvents() = default;
  // Bytes may go both ways now.
  virtual void onHostConnected() = 0;
  // The attempt is over. `why` lives during the call.
  virtual void onHostFailed(std::string_view why, bool timed_out) = 0;
  // Bytes that may be delivered now; 0 stops reading until resumeReading().
  virtual size_t hostCredit() = 0;
  virtual void onHostData(std::string_view bytes) = 0;
  // The host has ended its side.
  virtual void onHostEnd() = 0;
  // The established stream broke: nothing more comes or goes.
  virtual void onHostBroken() = 0;
  // What pendingBytes() counted is gone.
  virtual void onHostDrained() = 0;
  // Whether it tells the OutcomeObserver what became of its questions.
  virtual bool tellsAnswers() const { return false; }
};

class HostStream : public event::Deferred {
 public:
  // The host is to see a reset behind what was written, not an end, once it is let go of.
  virtual void breakOff() = 0;
  // Ends it at once, gives back what it held of its cluster, and has it destroyed at the end of the turn.
  struct LetGo {
    void operator()(HostStream* stream) const { stream->letGo(); }
  };
  using Ptr = std::unique_ptr<HostStream, LetGo>;

  enum class Failure : uint8_t { kNone, kOverflow, kConnectFailed };
  // What came of the wish to open one. `why`: of kConnectFailed.
  struct Opening {
    Ptr stream;  // null unless kNone
    Failure failure = Failure::kNone;
    std::string why = {};
  };

  virtual void write(std::string_view bytes) = 0;
  // The end of our side, behind what was written.
  virtual void shutdownWrites() = 0;
  // Written and not yet taken by the kernel. If there are any, onHostDrained() follows.
  virtual size_t pendingBytes() const = 0;
  // hostCredit() grew.
  virtual void resumeReading() = 0;
  virtual std::string localAddress() const = 0;

 protected:
  virtual void letGo() = 0;
};

}  // namespace sluice::upstream
