#include "source/transcoding/http_rules.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/api/http.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/unknown_field_set.h"

namespace sluice::transcoding {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using Proto = google::api::HttpRule;

constexpr int kHttpOption = 72295728;  // google/api/annotations.proto

const FieldDescriptor* fieldOf(const Descriptor& message, const std::string& name) {
  if (const FieldDescriptor* field = message.FindFieldByName(name)) return field;
  for (int i = 0; i < message.field_count(); ++i) {
    if (message.field(i)->json_name() == name) return message.field(i);
  }
  return nullptr;
}

absl::Status checkPath(const RestPath& path, const Descriptor& request) {
  for (const PathVariable& variable : path.variables) {
    const auto fields = fieldsOf(request, variable.fields);
    if (!fields.ok()) return fields.status();
    if (fields->back()->is_repeated()) {
      return absl::InvalidArgumentError(absl::StrCat("a variable of the path is the repeated field ",
                                                     fields->back()->full_name(), "; only a query can set it"));
    }
  }
  return absl::OkStatus();
}

// The HTTP method and the path of a rule; no method: it has neither.
std::pair<std::string, std::string> patternOf(const Proto& rule) {
  switch (rule.pattern_case()) {
    case Proto::kGet:
      return {"GET", rule.get()};
    case Proto::kPut:
      return {"PUT", rule.put()};
    case Proto::kPost:
      return {"POST", rule.post()};
    case Proto::kDelete:
      return {"DELETE", rule.delete_()};
    case Proto::kPatch:
      return {"PATCH", rule.patch()};
    case Proto::kCustom:
      return {rule.custom().kind(), rule.custom().path()};
    case Proto::PATTERN_NOT_SET:
      break;
  }
  return {};
}

absl::StatusOr<HttpRule> compileRule(const Proto& proto, const MethodDescriptor& method) {
  const auto [verb, path] = patternOf(proto);
  if (verb.empty()) return absl::InvalidArgumentError("has a rule without get, put, post, delete, patch or custom");
  absl::StatusOr<RestPath> parsed = RestPath::parse(path);
  if (!parsed.ok()) return parsed.status();
  if (absl::Status status = checkPath(*parsed, *method.input_type()); !status.ok()) return status;
  if (!proto.body().empty() && proto.body() != "*") {
    const std::vector<std::string> names = absl::StrSplit(proto.body(), '.');
    if (const auto fields = fieldsOf(*method.input_type(), names); !fields.ok()) return fields.status();
  }
  if (!proto.response_body().empty()) {
    const auto fields = fieldsOf(*method.output_type(), {proto.response_body()});
    if (!fields.ok()) return fields.status();
  }
  return HttpRule{verb, *std::move(parsed), proto.body(), proto.response_body()};
}

}  // namespace

absl::StatusOr<std::vector<const FieldDescriptor*>> fieldsOf(const Descriptor& message,
                                                             const std::vector<std::string>& names) {
  std::vector<const FieldDescriptor*> out;
  const Descriptor* in = &message;
  for (const std::string& name : names) {
    if (in == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(out.back()->full_name(), " is no message and has no field ", name));
    }
    const FieldDescriptor* field = fieldOf(*in, name);
    if (field == nullptr) return absl::InvalidArgumentError(absl::StrCat(in->full_name(), " has no field ", name));
    if (!out.empty() && out.back()->is_repeated()) {
      return absl::InvalidArgumentError(
          absl::StrCat(out.back()->full_name(), " is repeated; ", name, " in it cannot be named by a path of fields"));
    }
    out.push_back(field);
    in = field->message_type();
  }
  return out;
}

absl::StatusOr<std::vector<HttpRule>> httpRulesOf(const MethodDescriptor& method) {
  Proto proto;
  // The option is no field here: the set has types of its own.
  const auto& unknown = method.options().GetReflection()->GetUnknownFields(method.options());
  bool found = false;
  for (int i = 0; i < unknown.field_count(); ++i) {
    const google::protobuf::UnknownField& field = unknown.field(i);
    if (field.number() != kHttpOption || field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
      continue;
    found = true;
    if (!proto.MergeFromString(field.length_delimited())) return absl::InvalidArgumentError("cannot be read");
  }
  std::vector<HttpRule> out;
  if (!found) return out;
  std::vector<const Proto*> rules = {&proto};
  for (const Proto& more : proto.additional_bindings()) rules.push_back(&more);
  for (const Proto* rule : rules) {
    absl::StatusOr<HttpRule> compiled = compileRule(*rule, method);
    if (!compiled.ok()) return compiled.status();
    out.push_back(*std::move(compiled));
  }
  return out;
}

HttpRule ownHttpRule(const MethodDescriptor& method) {
  RestPath path;
  path.segments = {method.service()->full_name(), method.name()};
  return {"POST", std::move(path), "*", ""};
}

}  // namespace sluice::transcoding
