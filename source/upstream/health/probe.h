// One way to ask a host: makes one check after the other, over a connection of its own. Thread: main.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "source/event/loop.h"
#include "source/net/connection.h"
#include "source/upstream/cluster/cluster_config.h"

namespace sluice::upstream::health {

struct CheckResult {
  enum class Verdict : uint8_t {
    kPassed,
    kDegraded,   // passed, but others are to be preferred
    kFailed,     // the host answered that it is not well
    kRetriable,  // the same by a status that is not to be taken at once
    kNetwork,    // no connection, or it broke, or what came was no answer
    kTimeout,
    kNotMade,  // it was not made, for want of descriptors of our own: that says nothing of the host
    kAsked,    // no check: the host asked for it in an answer to a request
  };
  Verdict verdict = Verdict::kPassed;
  uint16_t status = 0;            // of HTTP; 0: none came
  bool compared_service = false;  // by service_name_matcher
  std::string_view detail = {};   // for people; static text
  bool asked_to_fail = false;     // the answer says so, too; of one that is not passed

  bool passed() const { return verdict == Verdict::kPassed || verdict == Verdict::kDegraded; }
};

// Where to connect. All of it outlives the connection but the configuration, which is held here.
struct ProbeHost {
  event::Loop& loop;
  net::WorkerBuffers& buffers;
  std::shared_ptr<const cluster::ClusterConfig> config;
  const net::TransportFactory* transport;  // of the configuration; null: plain
  net::Address address;
  stream::FixedMetadata metadata = {};                 // of the host
  const std::vector<std::string>* own_alpn = nullptr;  // what TLS offers, of the configuration; null: as usual
};

// Whom to ask, and what.
struct ProbeTarget : ProbeHost {
  const cluster::HealthCheckConfig& check;  // of the configuration
  std::string authority;                    // of HTTP and gRPC
};

class Probe {
 public:
  // Once for each begin(), from the loop or inside the call; may begin the next one.
  using OnResult = std::function<void(const CheckResult&)>;

  virtual ~Probe() = default;
  // Once the one before is over.
  virtual void begin() = 0;
  // No result any more; the connection is closed.
  virtual void abandon() = 0;
};

std::unique_ptr<Probe> makeHttpProbe(ProbeTarget target, Probe::OnResult on_result);  // and gRPC
std::unique_ptr<Probe> makeTcpProbe(ProbeTarget target, Probe::OnResult on_result);
std::unique_ptr<Probe> makeRedisProbe(ProbeTarget target, Probe::OnResult on_result);

// Of a check for which connecting could not even begin.
CheckResult notBegun(const absl::Status& why);

// Whether `text` has all of `pieces`, in their order and one behind the other.
bool hasInOrder(std::string_view text, const std::vector<std::string>& pieces);

}  // namespace sluice::upstream::health
