// What a proxy tells a control plane beside ACKs: whether what it acknowledged serves, and what it waits for if not.
//
// It is a request of a type of its own on the stream that it is about, and what it says stands in the metadata of the
// request's node. It is sent only where the server's identifier ends in kTakesReports; no other server gets anything.
// Values only: any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/xds/wire.h"

namespace sluice::xds {

inline constexpr std::string_view kServingReportType = "type.googleapis.com/sluice.discovery.ServingReport";
// As the end of control_plane.identifier.
inline constexpr std::string_view kTakesReports = " takes-serving-reports";
// Of node.client_features: the client will report to such a server.
inline constexpr std::string_view kReportsServing = "sluice.reports_serving";

struct ServingReport {
  // A resource that was accepted and does not serve yet.
  struct Waiting {
    std::string type;  // name of its message
    std::string name;
    std::string waits_for;  // text

    bool operator==(const Waiting&) const = default;
  };
  static constexpr size_t kMaxWaiting = 100;  // that are told
  static constexpr size_t kMaxText = 500;     // bytes of each text that is told
  static constexpr size_t kMaxTypes = 100;

  // By name of the message: the nonce of the last response of the stream that was taken whole, for good or bad.
  std::map<std::string, std::string> taken;
  std::vector<Waiting> waiting;
  uint64_t waiting_count = 0;  // all of them

  bool operator==(const ServingReport&) const = default;
};

Request requestOf(const ServingReport& report);
// Nullopt: the request has none, or one that is not well-formed.
std::optional<ServingReport> reportOf(const Request& request);

}  // namespace sluice::xds
