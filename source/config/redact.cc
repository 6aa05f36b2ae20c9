#include "source/config/redact.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/struct.pb.h"
#include "source/base/text.h"

namespace sluice::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr std::string_view kRedacted = "[redacted]";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Headers whose value lets its reader act as somebody.
bool isPrivateHeader(std::string_view key) {
  const std::string lower = absl::AsciiStrToLower(base::toAbsl(key));
  for (const std::string_view word :
       {"authorization", "cookie", "api-key", "apikey", "token", "secret", "password", "credential"}) {
    if (contains(lower, word)) return true;
  }
  return false;
}

void redactText(Message& message, const FieldDescriptor& field) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) {
    if (reflection.HasField(message, &field)) reflection.SetString(&message, &field, std::string(kRedacted));
    return;
  }
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    reflection.SetRepeatedString(&message, &field, i, std::string(kRedacted));
  }
}

// Everything that is text below a private field.
void redactAll(Message& message);
void walk(Message& message);

void redactAny(google::protobuf::Any& any, bool all) {
  const std::string& url = any.type_url();
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(url.substr(url.rfind('/') + 1));
  if (type == nullptr) {
    any.clear_value();
    return;
  }
  const std::unique_ptr<Message> inner(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!inner->ParseFromString(any.value())) {
    any.clear_value();
    return;
  }
  all ? redactAll(*inner) : walk(*inner);
  any.set_type_url("type.googleapis.com/" + type->full_name());  // only so can it be printed as JSON
  any.set_value(inner->SerializeAsString());
}

template <typename Visit>
void visitMessages(Message& message, const FieldDescriptor& field, Visit visit) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (!field.is_repeated()) return visit(*reflection.MutableMessage(&message, &field));
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    visit(*reflection.MutableRepeatedMessage(&message, &field, i));
  }
}

std::vector<const FieldDescriptor*> setFields(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

void redactAll(Message& message) {
  if (auto* any = dynamic_cast<google::protobuf::Any*>(&message)) return redactAny(*any, true);
  const bool entry = message.GetDescriptor()->options().map_entry();
  for (const FieldDescriptor* field : setFields(message)) {
    if (entry && field->number() == 1) continue;  // keys of a map stay, else they would fall together
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      // Where a secret lies is no secret.
      if (field->name() != "filename" && field->name() != "environment_variable") redactText(message, *field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      visitMessages(message, *field, redactAll);
    }
  }
}

// Its message tells by its own fields what of it is private.
bool isListOfSecrets(const FieldDescriptor& field) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return false;
  return field.containing_type()->full_name().rfind("envoy.admin.v3.SecretsConfigDump", 0) == 0 ||
         field.message_type()->full_name() == "envoy.extensions.transport_sockets.tls.v3.Secret";
}

void redactHeader(Message& message) {
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  if (!isPrivateHeader(reflection.GetString(message, type.FindFieldByName("key")))) return;
  for (const char* name : {"value", "raw_value"}) {
    if (const FieldDescriptor* field = type.FindFieldByName(name)) redactText(message, *field);
  }
}

// "inlineString" as "inline_string": a Struct that stands for a message may have either.
std::string snakeCase(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (absl::ascii_isupper(static_cast<unsigned char>(c))) out += '_';
    out += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return out;
}

// Of a message that is written so (TypedStruct), or of anything else; only names tell.
void redactStruct(google::protobuf::Struct& message) {
  auto& fields = *message.mutable_fields();
  const auto key = fields.find("key");
  const bool of_header = key != fields.end() && isPrivateHeader(key->second.string_value());
  for (auto& [name, value] : fields) {
    const std::string field = snakeCase(name);
    const bool is_private = isPrivateName(field) || (of_header && (field == "value" || field == "raw_value"));
    is_private ? redactAll(value) : walk(value);
  }
}

void walk(Message& message) {
  if (auto* any = dynamic_cast<google::protobuf::Any*>(&message)) return redactAny(*any, false);
  if (auto* fields = dynamic_cast<google::protobuf::Struct*>(&message)) return redactStruct(*fields);
  if (message.GetDescriptor()->full_name() == "envoy.config.core.v3.HeaderValue") return redactHeader(message);
  for (const FieldDescriptor* field : setFields(message)) {
    const bool is_private = isPrivateName(field->name()) && !isListOfSecrets(*field);
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      if (is_private) redactText(message, *field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      visitMessages(message, *field, is_private ? redactAll : walk);
    }
  }
}

}  // namespace

// A word of the name gives it away. Names of secrets that are fetched (sds_...) are none.
bool isPrivateName(std::string_view name) {
  if (contains(name, "sds_") || name.ends_with("_name")) return false;
  if (name == "users" || name == "local_jwks" || name == "context_extensions" || name == "pkcs12" ||
      name.ends_with("_token"))
    return true;
  for (const std::string_view word :
       {"private_key", "password", "secret", "session_ticket_keys", "hmac", "api_key", "credential", "auth_username"}) {
    if (contains(name, word)) return true;
  }
  return false;
}

void redact(Message& message) {
  walk(message);
}

}  // namespace sluice::config
