#include "source/xds/serving_report.h"

#include <algorithm>

#include "google/protobuf/struct.pb.h"

namespace sluice::xds {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

constexpr const char* kTaken = "sluice.taken";
constexpr const char* kWaiting = "sluice.waiting";
constexpr const char* kWaitingCount = "sluice.waiting_count";

const Value* find(const Struct& fields, const char* name, Value::KindCase kind) {
  const auto found = fields.fields().find(name);
  return found == fields.fields().end() || found->second.kind_case() != kind ? nullptr : &found->second;
}

std::string textAt(const Struct& fields, const char* name) {
  const Value* value = find(fields, name, Value::kStringValue);
  return value == nullptr ? std::string() : value->string_value().substr(0, ServingReport::kMaxText);
}

}  // namespace

Request requestOf(const ServingReport& report) {
  auto node = std::make_shared<envoy::config::core::v3::Node>();
  auto& fields = *node->mutable_metadata()->mutable_fields();
  auto& taken = *fields[kTaken].mutable_struct_value()->mutable_fields();
  for (const auto& [type, nonce] : report.taken) taken[type].set_string_value(nonce);
  auto& waiting = *fields[kWaiting].mutable_list_value();
  for (const ServingReport::Waiting& one : report.waiting) {
    auto& texts = *waiting.add_values()->mutable_struct_value()->mutable_fields();
    texts["type"].set_string_value(one.type);
    texts["name"].set_string_value(one.name);
    texts["waits_for"].set_string_value(one.waits_for);
  }
  fields[kWaitingCount].set_number_value(static_cast<double>(report.waiting_count));
  Request request;
  request.type_url = std::string(kServingReportType);
  request.node = std::move(node);
  return request;
}

std::optional<ServingReport> reportOf(const Request& request) {
  if (request.type_url != kServingReportType || request.node == nullptr) return std::nullopt;
  const Struct& fields = request.node->metadata();
  const Value* taken = find(fields, kTaken, Value::kStructValue);
  const Value* waiting = find(fields, kWaiting, Value::kListValue);
  const Value* count = find(fields, kWaitingCount, Value::kNumberValue);
  if (taken == nullptr || waiting == nullptr || count == nullptr) return std::nullopt;
  if (!(count->number_value() >= 0 && count->number_value() < 1e15)) return std::nullopt;
  ServingReport report;
  for (const auto& [type, nonce] : taken->struct_value().fields()) {
    const bool is_short = std::max(type.size(), nonce.string_value().size()) <= ServingReport::kMaxText;
    if (nonce.kind_case() != Value::kStringValue || !is_short || report.taken.size() >= ServingReport::kMaxTypes)
      return std::nullopt;
    report.taken[type] = nonce.string_value();
  }
  for (const Value& one : waiting->list_value().values()) {
    if (one.kind_case() != Value::kStructValue) return std::nullopt;
    if (report.waiting.size() >= ServingReport::kMaxWaiting) break;
    const Struct& texts = one.struct_value();
    report.waiting.push_back({textAt(texts, "type"), textAt(texts, "name"), textAt(texts, "waits_for")});
  }
  // One that says less than it lists is not taken for one that waits for nothing.
  report.waiting_count = std::max(static_cast<uint64_t>(count->number_value()), uint64_t{report.waiting.size()});
  return report;
}

}  // namespace sluice::xds
