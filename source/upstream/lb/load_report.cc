#include "source/upstream/lb/load_report.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "source/base/text.h"

namespace sluice::upstream::lb {
namespace {

using Field = LoadMetric::Field;

struct FieldName {
  std::string_view name, json;
  Field field;
  uint32_t number;  // in the message
};

constexpr FieldName kFields[] = {
    {"application_utilization", "applicationUtilization", Field::kApplicationUtilization, 9},
    {"cpu_utilization", "cpuUtilization", Field::kCpuUtilization, 1},
    {"mem_utilization", "memUtilization", Field::kMemUtilization, 2},
    {"rps_fractional", "rpsFractional", Field::kRpsFractional, 6},
    {"eps", "eps", Field::kEps, 7},
    {"named_metrics", "namedMetrics", Field::kNamedMetrics, 8},
    {"utilization", "utilization", Field::kUtilization, 5},
    {"request_cost", "requestCost", Field::kRequestCost, 4},
};

std::optional<Field> fieldOf(uint32_t number) {
  for (const FieldName& each : kFields) {
    if (each.number == number) return each.field;
  }
  return std::nullopt;
}

// The wire format of protobuf, as far as a report needs it.
class WireReader {
 public:
  enum Type : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  struct Tag {
    uint32_t number;
    uint32_t type;
  };

  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  bool atEnd() const { return rest_.empty(); }

  std::optional<Tag> tag() {
    const std::optional<uint64_t> value = varint();
    if (!value || *value > UINT32_MAX || *value >> 3 == 0) return std::nullopt;
    return Tag{static_cast<uint32_t>(*value >> 3), static_cast<uint32_t>(*value & 7)};
  }
  std::optional<double> fixed64() {
    static_assert(std::endian::native == std::endian::little, "numbers are read as they lie in memory");
    const std::optional<std::string_view> bytes = take(sizeof(double));
    if (!bytes) return std::nullopt;
    double value;
    std::memcpy(&value, bytes->data(), sizeof(value));
    return value;
  }
  std::optional<std::string_view> bytes() {
    const std::optional<uint64_t> size = varint();
    return size ? take(*size) : std::nullopt;
  }
  // The value of a field that nobody wants.
  bool skip(uint32_t type) {
    switch (type) {
      case kVarint:
        return varint().has_value();
      case kFixed64:
        return take(8).has_value();
      case kBytes:
        return bytes().has_value();
      case kFixed32:
        return take(4).has_value();
      default:
        return false;  // groups
    }
  }

 private:
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }
  std::optional<std::string_view> take(uint64_t count) {
    if (count > rest_.size()) return std::nullopt;
    const std::string_view out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }

  std::string_view rest_;
};

// {string key = 1; double value = 2}, both of which may be left out.
bool readEntry(Field map, std::string_view bytes, LoadReport& out) {
  LoadMetric metric{map};
  double value = 0;
  WireReader reader(bytes);
  while (!reader.atEnd()) {
    const auto tag = reader.tag();
    if (!tag) return false;
    if (tag->number == 1 && tag->type == WireReader::kBytes) {
      const auto key = reader.bytes();
      if (!key) return false;
      metric.key = *key;
    } else if (tag->number == 2 && tag->type == WireReader::kFixed64) {
      const auto number = reader.fixed64();
      if (!number) return false;
      value = *number;
    } else if (!reader.skip(tag->type)) {
      return false;
    }
  }
  return out.note(metric, value);
}

std::string_view stripped(std::string_view text) {
  return base::toStd(absl::StripAsciiWhitespace(base::toAbsl(text)));
}

bool readBase64(std::string_view text, LoadReport& out) {
  std::string message;
  return absl::Base64Unescape(base::toAbsl(text), &message) && readLoadReportBinary(message, out);
}

bool readPair(std::string_view pair, LoadReport& out) {
  if (stripped(pair).empty()) return true;
  const size_t at = pair.find_first_of("=:");
  if (at == std::string_view::npos) return false;
  double value = 0;
  if (!absl::SimpleAtod(base::toAbsl(stripped(pair.substr(at + 1))), &value)) return false;
  const std::optional<LoadMetric> metric = LoadMetric::parse(stripped(pair.substr(0, at)));
  return !metric || out.note(*metric, value);
}

}  // namespace

std::optional<Field> loadFieldOf(std::string_view name) {
  for (const FieldName& each : kFields) {
    if (each.name == name || each.json == name) return each.field;
  }
  return std::nullopt;
}

std::optional<LoadMetric> LoadMetric::parse(std::string_view name) {
  const size_t dot = name.find('.');
  const std::optional<Field> field = loadFieldOf(name.substr(0, dot));
  if (!field || isMap(*field) != (dot != std::string_view::npos)) return std::nullopt;
  if (!isMap(*field)) return LoadMetric{*field};
  return dot + 1 < name.size() ? std::optional(LoadMetric{*field, name.substr(dot + 1)}) : std::nullopt;
}

bool LoadReport::note(const LoadMetric& metric, double value) {
  if (!std::isfinite(value) || value < 0) return false;
  if (metric.field == Field::kApplicationUtilization) application_utilization_ = value;
  if (metric.field == Field::kCpuUtilization) cpu_utilization_ = value;
  if (metric.field == Field::kRpsFractional) rps_fractional_ = value;
  if (metric.field == Field::kEps) eps_ = value;
  const bool counts = std::find(wanted_.begin(), wanted_.end(), metric) != wanted_.end();
  if (counts) greatest_ = std::max(greatest_, value);
  return true;
}

bool readLoadReportBinary(std::string_view message, LoadReport& out) {
  WireReader reader(message);
  while (!reader.atEnd()) {
    const auto tag = reader.tag();
    if (!tag) return false;
    const std::optional<Field> field = fieldOf(tag->number);
    const uint32_t type = field && isMap(*field) ? WireReader::kBytes : WireReader::kFixed64;
    if (!field || tag->type != type) {
      if (!reader.skip(tag->type)) return false;
    } else if (isMap(*field)) {
      const auto entry = reader.bytes();
      if (!entry || !readEntry(*field, *entry, out)) return false;
    } else {
      const auto value = reader.fixed64();
      if (!value || !out.note({*field}, *value)) return false;
    }
  }
  return true;
}

bool readLoadReportText(std::string_view text, LoadReport& out) {
  for (;;) {
    const size_t comma = text.find(',');
    if (!readPair(text.substr(0, comma), out)) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

LoadReportFound readLoadReport(const http::HeaderList& fields, LoadReport& out) {
  const auto found = [](bool valid) { return valid ? LoadReportFound::kValid : LoadReportFound::kInvalid; };
  if (const auto value = fields.get("endpoint-load-metrics-bin")) return found(readBase64(*value, out));
  const auto value = fields.get("endpoint-load-metrics");
  if (!value) return LoadReportFound::kNone;
  const std::string_view form = value->substr(0, value->find(' '));
  const std::string_view content = value->substr(std::min(form.size() + 1, value->size()));
  if (form == "TEXT") return found(readLoadReportText(content, out));
  if (form == "JSON") return found(readLoadReportJson(content, out));
  return found(form == "BIN" && readBase64(content, out));
}

}  // namespace sluice::upstream::lb
