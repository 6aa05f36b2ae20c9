#include "source/transcoding/transcoder.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/json_util.h"
#include "google/rpc/status.pb.h"
#include "source/base/json_slice.h"
#include "source/base/percent.h"
#include "source/base/utf8.h"
#include "source/http/query.h"
#include "source/transcoding/bindings.h"
#include "source/transcoding/descriptor_set.h"
#include "source/transcoding/http_rules.h"
#include "source/transcoding/json_stream.h"

namespace sluice::transcoding {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
namespace util = google::protobuf::util;

// What a field without a value is in JSON.
std::string emptyJson(const FieldDescriptor& field) {
  if (field.is_map()) return "{}";
  if (field.is_repeated()) return "[]";
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "{}";
    case FieldDescriptor::CPPTYPE_STRING:
      return "\"\"";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return "\"" + field.enum_type()->value(0)->name() + "\"";
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "\"0\"";
    default:
      return "0";
  }
}

bool isHttpBody(const google::protobuf::Descriptor* type) {
  return type != nullptr && type->full_name() == "google.api.HttpBody";
}

// Of a google.api.HttpBody, whose type is the set's own; null: it is another HttpBody than that of google.api.
const FieldDescriptor* bytesField(const Message& body, const char* name) {
  const FieldDescriptor* field = body.GetDescriptor()->FindFieldByName(name);
  const bool fits = field != nullptr && !field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  return fits ? field : nullptr;
}

std::string decodedParameter(std::string_view text, bool plus_is_space) {
  return plus_is_space ? base::formDecoded(text) : base::percentDecoded(text);
}

}  // namespace

struct Transcoder::Rule {
  size_t method;
  const google::protobuf::Descriptor* request;
  const google::protobuf::Descriptor* response;
  std::string request_url, response_url;
  bool has_body = false;
  std::vector<const FieldDescriptor*> body;        // empty: the whole message
  const FieldDescriptor* response_body = nullptr;  // null: the whole message
};

struct Transcoder::Impl {
  explicit Impl(const Options& options) : options(options), paths(options.unescape, options.match_unknown_verbs) {
    parse_bindings.case_insensitive_enum_parsing = options.case_insensitive_enums;
    parse_body = parse_bindings;
    parse_body.ignore_unknown_fields = true;
    print.add_whitespace = options.whitespace;
    print.always_print_primitive_fields = options.print_primitives;
    print.always_print_enums_as_ints = options.enums_as_ints;
    print.preserve_proto_field_names = options.proto_names;
  }

  absl::Status addService(const std::string& name);
  absl::Status addRule(HttpRule rule, const MethodDescriptor& method, size_t index);
  absl::Status bindQuery(std::string_view query, const Rule& rule, Bindings& bindings) const;
  absl::StatusOr<std::string> toBinary(const std::string& url, const std::string& json,
                                       const util::JsonParseOptions& parse) const;
  // Whether what the body says of a bound field differs from what path or query say.
  absl::Status checkCollisions(const Rule& rule, const Bindings& bindings, const std::string& body,
                               const std::string& bound) const;

  const Options options;
  std::shared_ptr<const DescriptorSet> set;
  std::vector<std::unique_ptr<Method>> methods;
  std::vector<Rule> rules;
  RestPaths paths;
  util::JsonParseOptions parse_bindings, parse_body;
  util::JsonPrintOptions print;
};

Transcoder::Transcoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Transcoder::~Transcoder() = default;

absl::Status Transcoder::Impl::addRule(HttpRule rule, const MethodDescriptor& method, size_t index) {
  Rule out{index, method.input_type(), method.output_type(), DescriptorSet::urlOf(*method.input_type()),
           DescriptorSet::urlOf(*method.output_type())};
  out.has_body = !rule.body.empty();
  if (out.has_body && rule.body != "*") {
    const std::vector<std::string> names = absl::StrSplit(rule.body, '.');
    out.body = *fieldsOf(*method.input_type(), names);
  }
  if (!rule.response_body.empty()) out.response_body = fieldsOf(*method.output_type(), {rule.response_body})->back();
  const auto other = paths.add(rule.method, std::move(rule.path), rules.size());
  if (other) {
    const size_t owner = rules[*other].method;
    if (owner == index) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("takes the same requests as ", methods[owner]->path));
  }
  rules.push_back(std::move(out));
  return absl::OkStatus();
}

absl::Status Transcoder::Impl::addService(const std::string& name) {
  const auto* service = set->pool().FindServiceByName(name);
  if (service == nullptr) {
    constexpr size_t kTold = 5;
    const std::vector<std::string>& known = set->services();
    const auto told = known.begin() + static_cast<std::ptrdiff_t>(std::min(known.size(), kTold));
    return absl::NotFoundError(absl::StrCat("the descriptor set has no service \"", name, "\"; it has ",
                                            known.empty() ? "none" : absl::StrJoin(known.begin(), told, ", "),
                                            known.size() > kTold ? " and more" : ""));
  }
  for (int i = 0; i < service->method_count(); ++i) {
    const MethodDescriptor& method = *service->method(i);
    const auto fail = [&](const absl::Status& why) {
      return absl::InvalidArgumentError(absl::StrCat("google.api.http of ", method.full_name(), ": ", why.message()));
    };
    absl::StatusOr<std::vector<HttpRule>> rules_of_method = httpRulesOf(method);
    if (!rules_of_method.ok()) return fail(rules_of_method.status());
    if (rules_of_method->empty() && options.auto_mapping) rules_of_method->push_back(ownHttpRule(method));
    methods.push_back(std::make_unique<Method>(
        Method{DescriptorSet::pathOf(method), method.client_streaming(), method.server_streaming()}));
    for (HttpRule& rule : *rules_of_method) {
      if (absl::Status status = addRule(std::move(rule), method, methods.size() - 1); !status.ok()) return fail(status);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Transcoder>> Transcoder::make(std::string_view descriptor_set,
                                                                   const std::vector<std::string>& services,
                                                                   const Options& options) {
  auto impl = std::make_unique<Impl>(options);
  auto set = DescriptorSet::parse(descriptor_set);
  if (!set.ok()) return set.status();
  impl->set = *std::move(set);
  for (const std::string& service : services) {
    if (absl::Status status = impl->addService(service); !status.ok()) return status;
  }
  return std::shared_ptr<const Transcoder>(new Transcoder(std::move(impl)));
}

absl::Status Transcoder::Impl::bindQuery(std::string_view query, const Rule& rule, Bindings& bindings) const {
  while (!query.empty()) {
    const http::QueryParameter parameter = http::takeParameter(query);
    if (parameter.text.empty()) continue;
    const std::string name = decodedParameter(parameter.name, options.plus_is_space);
    if (options.ignored_parameters.contains(name)) continue;
    const std::vector<std::string> names = absl::StrSplit(name, '.');
    // What would be refused as JSON: a type that has itself as a field would let clients nest as deep as a path is
    // long.
    if (names.size() > JsonScanner::kDeepest) {
      return absl::InvalidArgumentError("a parameter of the query is nested too deep");
    }
    const auto fields = fieldsOf(*rule.request, names);
    if (!fields.ok()) {
      if (options.ignore_unknown_parameters) continue;
      return fields.status();
    }
    const std::string value = decodedParameter(parameter.value, options.plus_is_space);
    if (absl::Status status = bindings.add(*fields, value); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Call> Transcoder::match(std::string_view method, std::string_view path) const {
  const size_t question = path.find('?');
  const auto found = impl_->paths.find(method, path.substr(0, question));
  if (!found) return absl::NotFoundError("no method of a service takes this request");
  const Rule& rule = impl_->rules[found->index];
  Call call{impl_->methods[rule.method].get(), found->index, nullptr};
  call.raw_request = rule.has_body && isHttpBody(rule.body.empty() ? rule.request : rule.body.back()->message_type());
  call.raw_response = isHttpBody(rule.response_body == nullptr ? rule.response : rule.response_body->message_type());
  auto bindings = std::make_shared<Bindings>();
  if (question != std::string_view::npos) {
    absl::Status status = impl_->bindQuery(path.substr(question + 1), rule, *bindings);
    if (!status.ok()) return status;
  }
  // Behind the query: what the path says holds.
  for (const RestPaths::Value& value : found->values) {
    absl::Status status = bindings->add(*fieldsOf(*rule.request, *value.fields), value.value);
    if (!status.ok()) return status;
  }
  if (!bindings->empty()) call.bindings = std::move(bindings);
  return call;
}

absl::StatusOr<std::string> Transcoder::Impl::toBinary(const std::string& url, const std::string& json,
                                                       const util::JsonParseOptions& parse) const {
  std::string out;
  const auto status = util::JsonToBinaryString(set->resolver(), url, json, &out, parse);
  if (!status.ok()) return absl::InvalidArgumentError(std::string(status.message()));
  return out;
}

absl::Status Transcoder::Impl::checkCollisions(const Rule& rule, const Bindings& bindings, const std::string& body,
                                               const std::string& bound) const {
  const std::unique_ptr<Message> said = set->newMessage(*rule.request);
  const std::unique_ptr<Message> wanted = set->newMessage(*rule.request);
  if (!said->ParseFromString(body) || !wanted->ParseFromString(bound)) return absl::OkStatus();
  for (const Bindings::Fields& fields : bindings.all()) {
    const Message *in_body = said.get(), *in_bindings = wanted.get();
    for (const FieldDescriptor* field : fields) {
      const auto* reflection = in_body->GetReflection();
      const bool there =
          field->is_repeated() ? reflection->FieldSize(*in_body, field) > 0 : reflection->HasField(*in_body, field);
      if (!there) break;
      if (field != fields.back()) {
        in_body = &reflection->GetMessage(*in_body, field);
        in_bindings = &in_bindings->GetReflection()->GetMessage(*in_bindings, field);
        continue;
      }
      if (field->is_repeated()) break;  // one more
      std::string a, b;
      google::protobuf::TextFormat::PrintFieldValueToString(*in_body, field, -1, &a);
      google::protobuf::TextFormat::PrintFieldValueToString(*in_bindings, field, -1, &b);
      if (a != b) {
        return absl::InvalidArgumentError(
            absl::StrCat(field->full_name(), " is said otherwise in path or query and body"));
      }
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Transcoder::encodeRaw(const Call& call, const RawBody& body, bool with_bindings) const {
  const Rule& rule = impl_->rules[call.rule];
  const std::unique_ptr<Message> request = impl_->set->newMessage(*rule.request);
  Message* at = request.get();
  for (const FieldDescriptor* field : rule.body) {
    if (field->is_repeated()) return absl::InvalidArgumentError("the body is a repeated google.api.HttpBody");
    at = at->GetReflection()->MutableMessage(at, field);
  }
  const FieldDescriptor* type = bytesField(*at, "content_type");
  const FieldDescriptor* data = bytesField(*at, "data");
  if (type == nullptr || data == nullptr) return absl::InternalError("google.api.HttpBody has not its fields");
  at->GetReflection()->SetString(at, type, body.content_type);
  at->GetReflection()->SetString(at, data, body.data);
  std::string out = request->SerializeAsString();
  if (!with_bindings || call.bindings == nullptr) return out;
  const auto bound = impl_->toBinary(rule.request_url, call.bindings->json(), impl_->parse_bindings);
  if (!bound.ok()) return bound;
  return out + *bound;
}

absl::StatusOr<RawBody> Transcoder::decodeRaw(const Call& call, std::string_view message) const {
  const Rule& rule = impl_->rules[call.rule];
  const std::unique_ptr<Message> response = impl_->set->newMessage(*rule.response);
  if (!response->ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return absl::InternalError("the answer is not of its type");
  }
  const Message* at = response.get();
  if (rule.response_body != nullptr) {
    if (rule.response_body->is_repeated()) return absl::InternalError("the answer is a repeated google.api.HttpBody");
    at = &at->GetReflection()->GetMessage(*at, rule.response_body);
  }
  const FieldDescriptor* type = bytesField(*at, "content_type");
  const FieldDescriptor* data = bytesField(*at, "data");
  if (type == nullptr || data == nullptr) return absl::InternalError("google.api.HttpBody has not its fields");
  return RawBody{at->GetReflection()->GetString(*at, type), at->GetReflection()->GetString(*at, data)};
}

absl::StatusOr<std::string> Transcoder::encodeRequest(const Call& call, std::string_view json,
                                                      bool with_bindings) const {
  const Rule& rule = impl_->rules[call.rule];
  std::string out;
  if (rule.has_body && !json.empty()) {
    std::string text(json);
    if (!rule.body.empty()) {
      // One value and no more, so that nothing else can be said behind it.
      if (!base::isJson(text)) return absl::InvalidArgumentError("the body is not JSON");
      std::string around;
      for (const FieldDescriptor* field : rule.body) {
        around += '{';
        appendJsonString(around, field->name());
        around += ':';
      }
      text = around + text + std::string(rule.body.size(), '}');
    }
    auto body = impl_->toBinary(rule.request_url, text, impl_->parse_body);
    if (!body.ok()) return body;
    out = *std::move(body);
  }
  if (!with_bindings || call.bindings == nullptr) return out;
  // Fields of a message that come again replace what was there, or are more of it.
  const auto bound = impl_->toBinary(rule.request_url, call.bindings->json(), impl_->parse_bindings);
  if (!bound.ok()) return bound;
  if (impl_->options.reject_collisions && !out.empty()) {
    absl::Status status = impl_->checkCollisions(rule, *call.bindings, out, *bound);
    if (!status.ok()) return status;
  }
  return out + *bound;
}

absl::StatusOr<std::string> Transcoder::decodeResponse(const Call& call, std::string_view message) const {
  const Rule& rule = impl_->rules[call.rule];
  std::string out;
  const auto status =
      util::BinaryToJsonString(impl_->set->resolver(), rule.response_url, std::string(message), &out, impl_->print);
  if (!status.ok()) return absl::InternalError(std::string(status.message()));
  if (rule.response_body == nullptr) return out;
  const FieldDescriptor& field = *rule.response_body;
  const auto member = base::sliceOf(out, {impl_->options.proto_names ? field.name() : field.json_name()});
  return member ? std::string(*member) : emptyJson(field);
}

std::string Transcoder::statusJson(int code, std::string_view message, std::string_view details) const {
  google::rpc::Status proto;
  if (details.empty() || !proto.ParseFromArray(details.data(), static_cast<int>(details.size()))) {
    proto.Clear();
    proto.set_code(code);
    proto.set_message(base::asUtf8(message));
  }
  const std::string url = DescriptorSet::urlOf(*google::rpc::Status::descriptor());
  std::string out;
  if (util::BinaryToJsonString(impl_->set->resolver(), url, proto.SerializeAsString(), &out, impl_->print).ok()) {
    return out;
  }
  // Of a type that the set does not have.
  proto.clear_details();
  out.clear();
  if (util::BinaryToJsonString(impl_->set->resolver(), url, proto.SerializeAsString(), &out, impl_->print).ok()) {
    return out;
  }
  return absl::StrCat("{\"code\":", code, "}");
}

}  // namespace sluice::transcoding
