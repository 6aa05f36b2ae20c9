// What a host says of its load beside a response: an ORCA report (xds.data.orca.v3.OrcaLoadReport), in a field of the
// response's head or trailers.
//
//   endpoint-load-metrics-bin: BASE64     the message; as gRPC writes it, with or without padding
//   endpoint-load-metrics: BIN BASE64     the same
//   endpoint-load-metrics: TEXT cpu_utilization=0.3,named_metrics.gpu=0.5      or with ":"
//   endpoint-load-metrics: JSON {"cpu_utilization": 0.3, "named_metrics": {"gpu": 0.5}}
//
// What comes is not trusted: a number that is negative, infinite or none, or text that is not well-formed, makes a
// report invalid as a whole. Metrics that nobody here knows are passed over.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "source/http/headers.h"

namespace sluice::upstream::lb {

// One number of a report.
struct LoadMetric {
  enum class Field : uint8_t {
    kApplicationUtilization,
    kCpuUtilization,
    kMemUtilization,
    kRpsFractional,
    kEps,
    // These are maps.
    kNamedMetrics,
    kUtilization,
    kRequestCost,
  };
  // "cpu_utilization", or "named_metrics.gpu" for an entry of a map; the JSON names of fields are known, too. Not set:
  // a report has no such number.
  static std::optional<LoadMetric> parse(std::string_view name);

  Field field;
  std::string_view key = {};  // of a map

  bool operator==(const LoadMetric&) const = default;
};

// By its name or JSON name.
std::optional<LoadMetric::Field> loadFieldOf(std::string_view name);
inline bool isMap(LoadMetric::Field field) {
  return field >= LoadMetric::Field::kNamedMetrics;
}

class LoadReport {
 public:
  // `wanted`: the metrics of which the greatest counts; they outlive it.
  explicit LoadReport(std::span<const LoadMetric> wanted = {}) : wanted_(wanted) {}

  // False: no report may say so.
  [[nodiscard]] bool note(const LoadMetric& metric, double value);

  // Of the wanted metrics the greatest; if they are 0 or not there application_utilization, and then cpu_utilization.
  double utilization() const {
    return greatest_ > 0 ? greatest_ : application_utilization_ > 0 ? application_utilization_ : cpu_utilization_;
  }
  double requestsPerSecond() const { return rps_fractional_; }
  double errorsPerSecond() const { return eps_; }

 private:
  std::span<const LoadMetric> wanted_;
  double greatest_ = 0;
  double application_utilization_ = 0;
  double cpu_utilization_ = 0;
  double rps_fractional_ = 0;
  double eps_ = 0;
};

// False: it is none, and `out` is of no use.
[[nodiscard]] bool readLoadReportBinary(std::string_view message, LoadReport& out);
[[nodiscard]] bool readLoadReportText(std::string_view text, LoadReport& out);
[[nodiscard]] bool readLoadReportJson(std::string_view text, LoadReport& out);

// Of a head or of trailers.
enum class LoadReportFound : uint8_t { kNone, kValid, kInvalid };
LoadReportFound readLoadReport(const http::HeaderList& fields, LoadReport& out);

}  // namespace sluice::upstream::lb
