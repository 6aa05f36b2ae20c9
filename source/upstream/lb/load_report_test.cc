#include "source/upstream/lb/load_report.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "source/base/arena.h"
#include "source/upstream/lb/load_weights.h"

namespace sluice::upstream::lb {
namespace {

using Field = LoadMetric::Field;

// What these fields say, with named_metrics.gpu and utilization.disk wanted.
struct Read {
  explicit Read(const std::vector<std::pair<std::string, std::string>>& given) {
    for (const auto& [name, value] : given) fields.add(name, value);
    found = readLoadReport(fields, report);
  }
  static Read text(const std::string& content) { return one("TEXT " + content); }
  static Read json(const std::string& content) { return one("JSON " + content); }
  static Read one(const std::string& value) { return Read({{"endpoint-load-metrics", value}}); }

  bool valid() const { return found == LoadReportFound::kValid; }
  bool invalid() const { return found == LoadReportFound::kInvalid; }

  base::Arena arena;
  http::HeaderList fields{arena};
  const std::vector<LoadMetric> wanted{{Field::kNamedMetrics, "gpu"}, {Field::kUtilization, "disk"}};
  LoadReport report{wanted};
  LoadReportFound found;
};

// cpu_utilization 0.5, rps_fractional 100, eps 2, named_metrics {"rif": 4}, as the library of gRPC for Go wrote it.
const std::string kFromGo = "CQAAAAAAAOA/MQAAAAAAAFlAOQAAAAAAAABAQg4KA3JpZhEAAAAAAAAQQA";

TEST_CASE("a report in binary form is read with and without padding, from either field") {
  const std::string padded = kFromGo + "==";
  for (const Read& read :
       {Read({{"endpoint-load-metrics-bin", kFromGo}}), Read({{"endpoint-load-metrics-bin", padded}}),
        Read::one("BIN " + kFromGo), Read::one("BIN " + padded)}) {
    CHECK(read.valid());
    CHECK(read.report.utilization() == 0.5);
    CHECK(read.report.requestsPerSecond() == 100);
    CHECK(read.report.errorsPerSecond() == 2);
  }
}

TEST_CASE("a report as text has equals signs or colons, and blanks") {
  for (const char* content :
       {"rps_fractional=10,cpu_utilization=0.25,eps=1", " rps_fractional: 10, cpu_utilization :0.25,,eps:1,"}) {
    const Read read = Read::text(content);
    CHECK(read.valid());
    CHECK(read.report.requestsPerSecond() == 10);
    CHECK(read.report.utilization() == 0.25);
    CHECK(read.report.errorsPerSecond() == 1);
  }
}

TEST_CASE("a report as JSON has either name of its fields, and numbers or their text") {
  const Read read =
      Read::json(R"({"rpsFractional": "10", "cpu_utilization": 0.25, "eps": 1, "application_utilization": null})");

  CHECK(read.valid());
  CHECK(read.report.requestsPerSecond() == 10);
  CHECK(read.report.utilization() == 0.25);
  CHECK(read.report.errorsPerSecond() == 1);
}

TEST_CASE("the greatest wanted metric is the utilization, then that of the application, then that of the processor") {
  const std::string others = "application_utilization=0.3,cpu_utilization=0.4,mem_utilization=0.9,named_metrics.disk=7";

  CHECK(Read::text(others + ",named_metrics.gpu=0.1,utilization.disk=0.2").report.utilization() == 0.2);
  CHECK(Read::text(others + ",named_metrics.gpu=0").report.utilization() == 0.3);
  CHECK(Read::text("application_utilization=0,cpu_utilization=0.4").report.utilization() == 0.4);
  CHECK(Read::json(R"({"named_metrics": {"gpu": 0.6, "disk": 7}, "utilization": {"gpu": 8}})").report.utilization() ==
        0.6);
}

TEST_CASE("metrics that are not known are passed over") {
  CHECK(Read::text("rps_fractional=1,queue=7,named_metrics=3").valid());
  const Read json = Read::json(R"({"more": {"a": [1, {"b": true}]}, "list": [1], "flag": false, "rps_fractional": 3})");
  CHECK(json.valid());
  CHECK(json.report.requestsPerSecond() == 3);
  // Field 3 (rps, an integer) and field 100 as text, in front of eps.
  const std::string message("\x18\x05\xa2\x06\x02hi\x39\0\0\0\0\0\0\0\x40", 16);
  LoadReport report;
  CHECK(readLoadReportBinary(message, report));
  CHECK(report.errorsPerSecond() == 2);
}

TEST_CASE("what is not well-formed, or no load, is invalid as a whole") {
  for (const char* value : {"",
                            "TEXT",
                            "TEXT cpu_utilization",
                            "TEXT cpu_utilization=",
                            "TEXT cpu_utilization=x",
                            "TEXT eps=1,cpu_utilization=-1",
                            "TEXT cpu_utilization=inf",
                            "TEXT named_metrics.gpu=nan",
                            "XML <a/>",
                            "text eps=1",
                            "BIN *",
                            "BIN CQAAAAAAAOA",
                            "JSON",
                            "JSON {",
                            "JSON []",
                            "JSON 1",
                            "JSON null",
                            "JSON {\"eps\": \"x\"}",
                            "JSON {\"eps\": {}}",
                            "JSON {\"eps\": 1e999}",
                            "JSON {\"eps\": [1]}",
                            "JSON {\"named_metrics\": 1}",
                            "JSON {\"named_metrics\": {\"a\": {}}}",
                            "JSON {\"eps\": true}",
                            "JSON {\"eps\": 1} {}"}) {
    INFO(value);
    const Read read = Read::one(value);
    // Blank text says nothing, and that is no fault.
    if (std::string_view(value) == "TEXT") {
      CHECK(read.valid());
    } else {
      CHECK(read.invalid());
    }
  }
  CHECK(Read({}).found == LoadReportFound::kNone);
}

TEST_CASE("a binary report that is cut off anywhere inside of a field is invalid") {
  const std::string message("\x09\0\0\0\0\0\0\xe0\x3f\x42\x0e\x0a\x03gpu\x11\0\0\0\0\0\0\x10\x40", 25);
  for (size_t size = 0; size <= message.size(); ++size) {
    LoadReport report;
    CHECK(readLoadReportBinary(message.substr(0, size), report) == (size == 0 || size == 9 || size == message.size()));
  }
}

TEST_CASE("the name of a metric is that of a field, and of a map one of its keys") {
  CHECK(LoadMetric::parse("cpu_utilization") == LoadMetric{Field::kCpuUtilization});
  CHECK(LoadMetric::parse("named_metrics.a.b") == LoadMetric{Field::kNamedMetrics, "a.b"});
  for (const char* name : {"", "cpu", "named_metrics", "named_metrics.", "cpu_utilization.a", ".a"}) {
    CHECK_FALSE(LoadMetric::parse(name));
  }
}

TEST_CASE("the weight is requests by utilization, which errors add to") {
  const auto weight = [](const std::string& text, double penalty) {
    const LoadWeights weights({.error_penalty = penalty});
    LoadReport report = weights.newReport();
    REQUIRE(readLoadReportText(text, report));
    return weights.weightOf(report);
  };

  CHECK(*weight("rps_fractional=100,cpu_utilization=0.5", 1) == Approx(200));
  CHECK(*weight("rps_fractional=100,cpu_utilization=0.5,eps=50", 1) == Approx(100));
  CHECK(*weight("rps_fractional=100,cpu_utilization=0.5,eps=50", 0) == Approx(200));
  CHECK(*weight("rps_fractional=100,eps=50", 2) == Approx(100));
  CHECK(*weight("rps_fractional=1e300,cpu_utilization=1e-9", 1) == Approx(4294967295.0));
  CHECK(*weight("rps_fractional=1e-300,cpu_utilization=1", 1) == 1e-9);
  CHECK(*weight("rps_fractional=1,eps=1e300", 1) == 1e-9);
  CHECK_FALSE(weight("cpu_utilization=0.5", 1));
  CHECK_FALSE(weight("rps_fractional=100", 1));
  CHECK_FALSE(weight("rps_fractional=1e-308,cpu_utilization=1e308", 1));
}

}  // namespace
}  // namespace sluice::upstream::lb
