#include "source/transcoding/reverse_transcoder.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/json_util.h"
#include "source/base/json_slice.h"
#include "source/base/percent.h"
#include "source/http/rules.h"
#include "source/transcoding/descriptor_set.h"
#include "source/transcoding/http_rules.h"
#include "source/transcoding/json_stream.h"

namespace sluice::transcoding {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
namespace util = google::protobuf::util;
using Fields = std::vector<const FieldDescriptor*>;

// A rule whose path is text and variables.
bool canBeFilled(const HttpRule& rule) {
  for (size_t i = 0; i < rule.path.segments.size(); ++i) {
    bool bound = false;
    for (const PathVariable& variable : rule.path.variables) bound |= i >= variable.begin && i < variable.end;
    if (!bound && (rule.path.segments[i] == "*" || rule.path.segments[i] == "**")) return false;
  }
  return true;
}

// The message that has the last of the fields; null: one in between has no value.
Message* holderOf(Message* message, const Fields& fields) {
  for (size_t i = 0; i + 1 < fields.size(); ++i) {
    if (!message->GetReflection()->HasField(*message, fields[i])) return nullptr;
    message = message->GetReflection()->MutableMessage(message, fields[i]);
  }
  return message;
}

// As JSON has it, without the quotes that large numbers and enums have there. `index`: -1 if it is not repeated.
std::string scalarText(const Message& message, const FieldDescriptor* field, int index, bool enums_as_ints) {
  const auto* reflection = message.GetReflection();
  if (enums_as_ints && field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    return absl::StrCat(index < 0 ? reflection->GetEnumValue(message, field)
                                  : reflection->GetRepeatedEnumValue(message, field, index));
  }
  std::string text;
  google::protobuf::TextFormat::PrintFieldValueToString(message, field, index, &text);
  const bool real =
      field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT || field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
  if (real && text == "nan") return "NaN";
  if (real && text.ends_with("inf")) return text.front() == '-' ? "-Infinity" : "Infinity";
  return text;
}

}  // namespace

struct ReverseTranscoder::Method {
  HttpRule rule;
  const google::protobuf::Descriptor* request;
  const google::protobuf::Descriptor* response;
  std::vector<Fields> variables;  // as those of the path
  Fields body;                    // empty: the whole message, or none
};

struct ReverseTranscoder::Impl {
  absl::Status add(const MethodDescriptor& method);
  absl::StatusOr<std::string> jsonOf(const Message& message) const;
  // What a value is in a path or query.
  absl::StatusOr<std::string> textOf(const Message& message, const FieldDescriptor* field, int index) const;
  absl::Status appendQuery(const Message& message, const std::string& prefix, std::string& query) const;
  absl::StatusOr<std::string> pathOf(const Method& method, Message& message) const;

  std::shared_ptr<const DescriptorSet> set;
  std::map<std::string, Method, std::less<>> methods;
  util::JsonPrintOptions print;
};

ReverseTranscoder::ReverseTranscoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReverseTranscoder::~ReverseTranscoder() = default;

absl::Status ReverseTranscoder::Impl::add(const MethodDescriptor& method) {
  if (method.client_streaming() || method.server_streaming()) return absl::OkStatus();
  absl::StatusOr<std::vector<HttpRule>> rules = httpRulesOf(method);
  if (!rules.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("google.api.http of ", method.full_name(), ": ", rules.status().message()));
  }
  for (HttpRule& rule : *rules) {
    if (!canBeFilled(rule)) continue;
    Method out{std::move(rule), method.input_type(), method.output_type(), {}, {}};
    for (const PathVariable& variable : out.rule.path.variables) {
      out.variables.push_back(*fieldsOf(*out.request, variable.fields));
    }
    if (!out.rule.body.empty() && out.rule.body != "*") {
      const std::vector<std::string> names = absl::StrSplit(out.rule.body, '.');
      out.body = *fieldsOf(*out.request, names);
    }
    methods.emplace(DescriptorSet::pathOf(method), std::move(out));
    break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const ReverseTranscoder>> ReverseTranscoder::make(std::string_view descriptor_set,
                                                                                 const ReverseOptions& options) {
  auto impl = std::make_unique<Impl>();
  auto set = DescriptorSet::parse(descriptor_set);
  if (!set.ok()) return set.status();
  impl->set = *std::move(set);
  impl->print.always_print_primitive_fields = options.print_primitives;
  impl->print.always_print_enums_as_ints = options.enums_as_ints;
  impl->print.preserve_proto_field_names = !options.json_names;
  for (const std::string& name : impl->set->services()) {
    const auto* service = impl->set->pool().FindServiceByName(name);
    for (int i = 0; service != nullptr && i < service->method_count(); ++i) {
      if (absl::Status status = impl->add(*service->method(i)); !status.ok()) return status;
    }
  }
  return std::shared_ptr<const ReverseTranscoder>(new ReverseTranscoder(std::move(impl)));
}

const ReverseTranscoder::Method* ReverseTranscoder::find(std::string_view path) const {
  const auto found = impl_->methods.find(path);
  return found == impl_->methods.end() ? nullptr : &found->second;
}

absl::StatusOr<std::string> ReverseTranscoder::Impl::jsonOf(const Message& message) const {
  std::string out;
  const auto status = util::BinaryToJsonString(set->resolver(), DescriptorSet::urlOf(*message.GetDescriptor()),
                                               message.SerializeAsString(), &out, print);
  if (!status.ok()) return absl::InvalidArgumentError(std::string(status.message()));
  return out;
}

absl::StatusOr<std::string> ReverseTranscoder::Impl::textOf(const Message& message, const FieldDescriptor* field,
                                                            int index) const {
  const auto* reflection = message.GetReflection();
  const bool many = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (field->type() == FieldDescriptor::TYPE_BYTES) break;
      return many ? reflection->GetRepeatedString(message, field, index) : reflection->GetString(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      // Times, wrappers and their like are one value in JSON.
      auto json =
          jsonOf(many ? reflection->GetRepeatedMessage(message, field, index) : reflection->GetMessage(message, field));
      if (!json.ok() || json->empty() || (*json)[0] == '{' || (*json)[0] == '[') break;
      return (*json)[0] == '"' ? base::unquoted(*json) : *json;
    }
    default:
      return scalarText(message, field, many ? index : -1, print.always_print_enums_as_ints);
  }
  return absl::InvalidArgumentError(absl::StrCat(field->full_name(), " cannot stand in a path or query"));
}

absl::Status ReverseTranscoder::Impl::appendQuery(const Message& message, const std::string& prefix,
                                                  std::string& query) const {
  std::vector<const FieldDescriptor*> fields;
  const auto* reflection = message.GetReflection();
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string name = prefix + field->name();
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const auto text = textOf(message, field, i);
      if (text.ok()) {
        absl::StrAppend(&query, query.empty() ? "?" : "&", name, "=", base::percentEncoded(*text));
        continue;
      }
      if (field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return text.status();
      absl::Status status = appendQuery(reflection->GetMessage(message, field), name + ".", query);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

// Takes the fields of the path off the message.
absl::StatusOr<std::string> ReverseTranscoder::Impl::pathOf(const Method& method, Message& message) const {
  const RestPath& path = method.rule.path;
  std::string out;
  for (size_t i = 0; i < path.segments.size();) {
    out += '/';
    size_t end = i + 1;
    bool bound = false;
    for (size_t v = 0; v < path.variables.size(); ++v) {
      const PathVariable& variable = path.variables[v];
      if (variable.begin != i) continue;
      bound = true;
      end = variable.end;
      const Fields& fields = method.variables[v];
      const Message* holder = holderOf(&message, fields);
      auto text = holder == nullptr ? absl::StatusOr<std::string>(std::string()) : textOf(*holder, fields.back(), 0);
      if (!text.ok()) return text;
      const std::string encoded = base::percentEncoded(*text, variable.many ? "/" : "");
      // What says nothing, or climbs, would lead elsewhere.
      if (encoded.empty() || http::hasDotSegment(encoded)) {
        return absl::InvalidArgumentError(absl::StrCat(fields.back()->full_name(), " cannot stand in the path"));
      }
      out += encoded;
    }
    if (!bound) out += path.segments[i];
    i = end;
  }
  for (const Fields& fields : method.variables) {
    if (Message* holder = holderOf(&message, fields)) holder->GetReflection()->ClearField(holder, fields.back());
  }
  if (!path.verb.empty()) absl::StrAppend(&out, ":", path.verb);
  return out.empty() ? "/" : out;
}

absl::StatusOr<RestRequest> ReverseTranscoder::encode(const Method& method, std::string_view message) const {
  const std::unique_ptr<Message> parsed = impl_->set->newMessage(*method.request);
  if (!parsed->ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return absl::InvalidArgumentError("the message is not of its type");
  }
  RestRequest out;
  out.method = method.rule.method == "*" ? "POST" : method.rule.method;
  auto path = impl_->pathOf(method, *parsed);
  if (!path.ok()) return path.status();
  out.path = *std::move(path);
  out.has_body = !method.rule.body.empty();
  if (method.rule.body == "*") {
    auto json = impl_->jsonOf(*parsed);
    if (!json.ok()) return json.status();
    out.body = *std::move(json);
    return out;
  }
  if (out.has_body) {
    Message* holder = holderOf(parsed.get(), method.body);
    const FieldDescriptor* field = method.body.back();
    auto json = holder == nullptr ? absl::StatusOr<std::string>("{}") : impl_->jsonOf(*holder);
    if (!json.ok()) return json.status();
    const auto member =
        base::sliceOf(*json, {impl_->print.preserve_proto_field_names ? field->name() : field->json_name()});
    out.body = member ? std::string(*member) : field->is_repeated() && !field->is_map() ? "[]" : "{}";
    if (!member && field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE && !field->is_repeated()) out.body = "null";
    if (holder != nullptr) holder->GetReflection()->ClearField(holder, field);
  }
  std::string query;
  if (absl::Status status = impl_->appendQuery(*parsed, "", query); !status.ok()) return status;
  out.path += query;
  return out;
}

absl::StatusOr<std::string> ReverseTranscoder::decode(const Method& method, std::string_view json) const {
  std::string text(json.empty() ? "{}" : json);
  if (!method.rule.response_body.empty()) {
    // One value and no more, so that nothing else can be said behind it.
    if (!base::isJson(text)) return absl::InvalidArgumentError("the answer is not JSON");
    std::string around = "{";
    appendJsonString(around, method.rule.response_body);
    text = around + ":" + text + "}";
  }
  util::JsonParseOptions parse;
  parse.ignore_unknown_fields = true;
  std::string out;
  const auto status =
      util::JsonToBinaryString(impl_->set->resolver(), DescriptorSet::urlOf(*method.response), text, &out, parse);
  if (!status.ok()) return absl::InvalidArgumentError(std::string(status.message()));
  return out;
}

}  // namespace sluice::transcoding
