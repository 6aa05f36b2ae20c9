#include "source/extensions/filters/http/aggregate/factory.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/json_util.h"
#include "sluice/extensions/filters/http/aggregate/v1/aggregate.pb.h"
#include "source/config/format/substitution_format.h"
#include "source/config/http_filter_factory.h"
#include "source/config/route_texts.h"
#include "source/config/values.h"
#include "source/extensions/filters/http/aggregate/filter.h"
#include "source/filter/header_changes.h"

namespace sluice::extensions::http_filters::aggregate {
namespace {

namespace v1 = sluice::extensions::filters::http::aggregate::v1;
using config::Context;
using google::protobuf::Value;

std::string jsonOf(const google::protobuf::Message& value) {
  std::string out;
  if (!google::protobuf::util::MessageToJsonString(value, &out).ok()) return "null";
  return out;
}

// Where the operator that begins at `at` ends: behind its closing '%'. What stands in parentheses may hold any.
size_t operatorEnd(const std::string& text, size_t at) {
  const size_t open = text.find('(', at), close = text.find('%', at + 1);
  if (open == std::string::npos || open > close) return close == std::string::npos ? text.size() : close + 1;
  const size_t behind = text.find(')', open);
  const size_t end = behind == std::string::npos ? behind : text.find('%', behind);
  return end == std::string::npos ? text.size() : end + 1;
}

// Each operator is a value of its own, so that what a request says stays within it.
std::vector<PathPiece> compilePath(const std::string& text, const Context& at) {
  std::vector<PathPiece> out;
  if (text.front() != '/') at.error("does not begin with '/'");
  for (size_t begin = 0; begin < text.size();) {
    PathPiece& piece = out.emplace_back();
    const size_t percent = std::min(text.find('%', begin), text.size());
    piece.text = text.substr(begin, percent - begin);
    config::checkPathText(piece.text, at);
    begin = percent;
    if (begin == text.size()) break;
    const size_t end = operatorEnd(text, begin);
    auto formatter = config::compileFormat(std::string_view(text).substr(begin, end - begin),
                                           {.omit_empty_values = true, .escape = stream::Escape::kNone});
    if (formatter.ok()) {
      piece.value = *std::move(formatter);
    } else {
      at.error(std::string(formatter.status().message()));
    }
    begin = end;
  }
  return out;
}

void checkName(const v1::Aggregate::Call& proto, const std::vector<CallSettings>& others, const Context& at) {
  const auto plain = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; };
  if (!std::all_of(proto.name().begin(), proto.name().end(), plain)) {
    at.error("holds something else than letters, digits, '_' and '-'");
  }
  for (const CallSettings& other : others) {
    if (other.name == proto.name()) at.error(absl::StrCat("\"", proto.name(), "\" is the name of another call, too"));
  }
}

std::vector<StatusRange> compileStatuses(const v1::Aggregate::Call& proto, const Context& at) {
  std::vector<StatusRange> out;
  for (int i = 0; i < proto.statuses_size(); ++i) {
    const auto& range = proto.statuses(i);
    if (range.start() < 100 || range.start() >= range.end() || range.end() > 600) {
      at.child("statuses", static_cast<size_t>(i)).error("is no range of statuses; 100 <= start < end <= 600");
    }
    out.push_back({range.start(), range.end()});
  }
  if (out.empty()) out.emplace_back();
  return out;
}

CallSettings compileCall(const v1::Aggregate::Call& proto, const config::FactoryContext& context) {
  const Context& at = context.at;
  CallSettings out;
  out.name = proto.name();
  out.cluster = proto.cluster();
  // A table from RDS may come before the clusters that it names.
  const auto& exists = context.services.cluster_exists;
  if (!context.owner.empty() && exists && !exists(proto.cluster())) {
    at.child("cluster").error(absl::StrCat("no cluster \"", proto.cluster(), "\" is configured"));
  }
  context.services.cluster_names.idOf(proto.cluster());  // it stays while the filter does
  out.path = compilePath(proto.path(), at.child("path"));
  out.host = proto.host();
  config::checkHostText(out.host, at.child("host"));
  if (proto.has_timeout()) out.timeout = config::compileMilliseconds(proto.timeout());
  for (int i = 0; i < proto.forwarded_headers_size(); ++i) {
    const std::string& name = out.forwarded_headers.emplace_back(absl::AsciiStrToLower(proto.forwarded_headers(i)));
    const Context at_name = at.child("forwarded_headers", static_cast<size_t>(i));
    if (!config::isToken(name)) at_name.error("is no header name");
    if (filter::isFraming(name)) at_name.error("belongs to one message on one connection, and no call takes it over");
  }
  out.statuses = compileStatuses(proto, at);
  if (proto.has_default_value()) out.default_value = jsonOf(proto.default_value());
  if (proto.has_max_response_bytes()) out.max_response_bytes = proto.max_response_bytes().value();
  return out;
}

// Writes the answer as text with places for what calls bring.
class AnswerWriter {
 public:
  AnswerWriter(const std::vector<CallSettings>& calls, const Context& at) : calls_(calls), at_(at) {}

  // `path`: of the value below `at`.
  void write(const Value& value, const std::string& path) {
    switch (value.kind_case()) {
      case Value::kStructValue:
        return writeObject(value.struct_value(), path);
      case Value::kListValue:
        return writeList(value.list_value(), path);
      case Value::kStringValue:
        if (absl::StrContains(value.string_value(), "{{")) return writePlace(value.string_value(), path);
        break;
      default:
        break;
    }
    text_ += jsonOf(value);
  }
  void writeAll() {
    text_ += "{";
    for (size_t i = 0; i < calls_.size(); ++i) {
      absl::StrAppend(&text_, i == 0 ? "\"" : ",\"", calls_[i].name, "\":");
      place(i, {});
    }
    text_ += "}";
  }
  std::vector<AnswerPiece> pieces() && {
    pieces_.push_back({std::move(text_)});
    return std::move(pieces_);
  }

 private:
  void writeObject(const google::protobuf::Struct& object, const std::string& path) {
    std::vector<std::string> names;  // in an order that is the same each time
    for (const auto& [name, value] : object.fields()) names.push_back(name);
    std::sort(names.begin(), names.end());
    text_ += "{";
    for (const std::string& name : names) {
      Value key;
      key.set_string_value(name);
      absl::StrAppend(&text_, &name == &names.front() ? "" : ",", jsonOf(key), ":");
      write(object.fields().at(name), absl::StrCat(path, "[\"", name, "\"]"));
    }
    text_ += "}";
  }
  void writeList(const google::protobuf::ListValue& list, const std::string& path) {
    text_ += "[";
    for (int i = 0; i < list.values_size(); ++i) {
      if (i > 0) text_ += ",";
      write(list.values(i), absl::StrCat(path, "[", i, "]"));
    }
    text_ += "]";
  }
  void writePlace(const std::string& text, const std::string& path) {
    if (!text.starts_with("{{") || !text.ends_with("}}")) {
      return error(path, text, "holds \"{{\"; what a call brings is all of a text: \"{{NAME}}\"");
    }
    std::vector<std::string> keys = absl::StrSplit(text.substr(2, text.size() - 4), '.');
    const auto known =
        std::find_if(calls_.begin(), calls_.end(), [&](const CallSettings& call) { return call.name == keys.front(); });
    if (known == calls_.end()) return error(path, text, "names no call");
    keys.erase(keys.begin());
    place(static_cast<size_t>(known - calls_.begin()), std::move(keys));
  }
  void place(size_t call, std::vector<std::string> path) {
    pieces_.push_back({std::exchange(text_, {}), call, std::move(path), true});
  }
  void error(const std::string& path, const std::string& text, const char* problem) const {
    at_.child(path).error(absl::StrCat("\"", text, "\" ", problem));
  }

  const std::vector<CallSettings>& calls_;
  const Context at_;
  std::string text_;
  std::vector<AnswerPiece> pieces_;
};

Settings compileSettings(const v1::Aggregate& proto, const config::FactoryContext& context) {
  Settings out;
  for (int i = 0; i < proto.calls_size(); ++i) {
    const config::FactoryContext at = context.child("calls", static_cast<size_t>(i));
    checkName(proto.calls(i), out.calls, at.at.child("name"));
    out.calls.push_back(compileCall(proto.calls(i), at));
  }
  AnswerWriter writer(out.calls, context.at);
  proto.has_answer() ? writer.write(proto.answer(), "answer") : writer.writeAll();
  out.answer = std::move(writer).pieces();
  if (proto.has_failure_status()) out.failure_status = static_cast<uint16_t>(proto.failure_status().value());
  if (proto.methods_size() > 0) out.methods.assign(proto.methods().begin(), proto.methods().end());
  const auto counter = [&](const char* name) {
    return context.stats->counter(absl::StrCat(context.owner, "aggregate.", name));
  };
  out.answered = counter("answered");
  out.failed = counter("failed");
  out.call_failed = counter("call_failed");
  out.default_used = counter("default_used");
  return out;
}

class Factory : public config::RoutedHttpFilterOf<v1::Aggregate> {
 public:
  config::HttpFilterPtr makeFilter(const v1::Aggregate& proto, const config::FactoryContext& context) const override {
    return std::make_shared<FilterFactory>(compileSettings(proto, context));
  }

  config::RouteConfigPtr makeRouteConfig(const v1::Aggregate& proto,
                                         const config::FactoryContext& context) const override {
    return std::make_shared<RouteSettings>(compileSettings(proto, context));
  }
};

}  // namespace

void registerFactory(config::Registry& registry) {
  registry.http_filters.add(std::make_unique<Factory>());
}

}  // namespace sluice::extensions::http_filters::aggregate
