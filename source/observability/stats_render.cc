// The three faces of /stats: Envoy's text, its JSON, and the Prometheus text exposition format.
#include <algorithm>
#include <map>

#include "absl/strings/str_format.h"
#include "re2/re2.h"
#include "source/base/text.h"
#include "source/observability/stats.h"

namespace sluice::observability {
namespace {

using Stat = StatsRegistry::Stat;

constexpr double kQuantiles[] = {0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100};

// Envoy's default bounds; values are whole numbers, so its bound of 0.5 counts the zeros.
constexpr double kBounds[] = {0.5,  1,    5,     10,    25,    50,     100,    250,     500,    1000,
                              2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};

struct Value {
  const Stat* stat = nullptr;
  int64_t number = 0;
  HistogramSummary histogram;
};

// Everything that the query selects, with its value, by name.
std::optional<std::vector<Value>> select(const StatsRegistry& registry, const StatsQuery& query) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(1 << 20);
  const re2::RE2 filter(query.filter, options);
  if (!filter.ok()) return std::nullopt;
  std::vector<Value> out;
  for (const Stat* stat : registry.stats()) {
    if (!query.filter.empty() && !re2::RE2::PartialMatch(stat->name, filter)) continue;
    Value value{stat, 0, {}};
    bool used = false;
    if (stat->kind == StatKind::kHistogram) {
      value.histogram = registry.histogramValue({stat->id});
      used = value.histogram.count > 0;
    } else {
      value.number = stat->kind == StatKind::kGauge ? registry.gaugeValue({stat->id})
                                                    : static_cast<int64_t>(registry.counterValue({stat->id}));
      used = value.number != 0;
    }
    if (used || !query.used_only) out.push_back(std::move(value));
  }
  return out;
}

std::string quantileText(const HistogramSummary& histogram) {
  if (histogram.count == 0) return "No recorded values";
  std::string out;
  for (const double percent : kQuantiles) {
    // Envoy prints (last interval, whole life); intervals are not kept here.
    base::strAppend(out, out.empty() ? "" : " ", "P", percent, "(nan,", histogram.quantile(percent), ")");
  }
  return out;
}

std::string jsonText(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      absl::StrAppendFormat(&out, "\\u%04x", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Label values may be any UTF-8; what is none is replaced, else the scrape would be refused as a whole.
std::string labelText(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '"') {
      out += "\\\"";
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += '_';
    } else {
      out += c;
    }
  }
  return out;
}

std::string labelsOf(const Stat& stat) {
  std::string out;
  for (const StatTag& tag : stat.tags) {
    base::strAppend(out, out.empty() ? "" : ",", tag.name, "=\"", labelText(tag.value), "\"");
  }
  return out;
}

void appendHistogram(std::string& out, const std::string& name, const std::string& labels,
                     const HistogramSummary& histogram) {
  const std::string lead = labels.empty() ? "" : labels + ",";
  for (const double bound : kBounds) {
    const auto whole = static_cast<uint64_t>(bound);
    base::strAppend(out, name, "_bucket{", lead, "le=\"", whole == 0 ? "0.5" : base::strCat(whole), "\"} ");
    base::strAppend(out, histogram.countUpTo(whole), "\n");
  }
  base::strAppend(out, name, "_bucket{", lead, "le=\"+Inf\"} ", histogram.count, "\n");
  base::strAppend(out, name, "_sum{", labels, "} ", histogram.sum, "\n");
  base::strAppend(out, name, "_count{", labels, "} ", histogram.count, "\n");
}

std::string_view typeOf(StatKind kind) {
  switch (kind) {
    case StatKind::kCounter:
      return "counter";
    case StatKind::kGauge:
      return "gauge";
    case StatKind::kHistogram:
      return "histogram";
  }
  return "untyped";
}

}  // namespace

std::optional<std::string> renderText(const StatsRegistry& registry, const StatsQuery& query) {
  const std::optional<std::vector<Value>> values = select(registry, query);
  if (!values) return std::nullopt;
  std::string out;
  for (const Value& value : *values) {  // Envoy prints numbers first, then histograms
    if (value.stat->kind != StatKind::kHistogram) base::strAppend(out, value.stat->name, ": ", value.number, "\n");
  }
  for (const Value& value : *values) {
    if (value.stat->kind != StatKind::kHistogram) continue;
    base::strAppend(out, value.stat->name, ": ", quantileText(value.histogram), "\n");
  }
  return out;
}

std::optional<std::string> renderJson(const StatsRegistry& registry, const StatsQuery& query) {
  const std::optional<std::vector<Value>> values = select(registry, query);
  if (!values) return std::nullopt;
  std::string out = "{\"stats\":[";
  std::string histograms;
  bool first = true;
  for (const Value& value : *values) {
    if (value.stat->kind == StatKind::kHistogram) {
      std::string row;
      for (const double percent : kQuantiles) {
        base::strAppend(row, row.empty() ? "" : ",", "{\"interval\":null,\"cumulative\":");
        base::strAppend(row, value.histogram.count == 0 ? "null" : base::strCat(value.histogram.quantile(percent)),
                        "}");
      }
      base::strAppend(histograms, histograms.empty() ? "" : ",", "{\"name\":", jsonText(value.stat->name),
                      ",\"values\":[", row, "]}");
      continue;
    }
    base::strAppend(out, first ? "" : ",", "{\"name\":", jsonText(value.stat->name), ",\"value\":", value.number, "}");
    first = false;
  }
  if (!histograms.empty()) {
    base::strAppend(out, first ? "" : ",", "{\"histograms\":{\"supported_quantiles\":[",
                    "0,25,50,75,90,95,99,99.5,99.9,100],\"computed_quantiles\":[", histograms, "]}}");
  }
  return out + "]}\n";
}

std::optional<std::string> renderPrometheus(const StatsRegistry& registry, const StatsQuery& query) {
  const std::optional<std::vector<Value>> values = select(registry, query);
  if (!values) return std::nullopt;
  // One TYPE line per metric with all its series behind it. A metric has one kind: a second kind under the same name
  // would make the scrape invalid, so the kind is part of the order and the name of the lesser kind is changed.
  std::map<std::pair<std::string, StatKind>, std::vector<const Value*>> metrics;
  std::map<std::string, StatKind> kind_of;
  for (const Value& value : *values) {
    std::string name = value.stat->exposition_name;
    const StatKind kind = kind_of.emplace(name, value.stat->kind).first->second;
    if (kind != value.stat->kind) base::strAppend(name, "_", typeOf(value.stat->kind));
    metrics[{name, value.stat->kind}].push_back(&value);
  }
  std::string out;
  for (const auto& [metric, series] : metrics) {
    const std::string& name = metric.first;
    base::strAppend(out, "# TYPE ", name, " ", typeOf(metric.second), "\n");
    for (const Value* value : series) {
      const std::string labels = labelsOf(*value->stat);
      if (metric.second == StatKind::kHistogram) {
        appendHistogram(out, name, labels, value->histogram);
      } else {
        base::strAppend(out, name, "{", labels, "} ", value->number, "\n");
      }
    }
  }
  return out;
}

}  // namespace sluice::observability
