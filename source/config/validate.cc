#include "source/config/validate.h"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "envoy/annotations/deprecation.pb.h"
#include "envoy/config/core/v3/base.pb.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "validate/validate.pb.h"

#include "source/config/any_type.h"
#include "source/config/format/typed_metadata.h"
#include "source/config/rules.h"
#include "source/config/walk.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::Metadata;
using google::protobuf::Any;
using google::protobuf::Descriptor;
using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using ::validate::FieldRules;

// A value that rules speak about: a singular field, an item of a list or a key or value of a map.
struct Value {
  const Message& message;
  const FieldDescriptor& field;
  int index = -1;  // items only

  const Reflection& fields() const { return *message.GetReflection(); }

  const Message& asMessage() const {
    return index < 0 ? fields().GetMessage(message, &field) : fields().GetRepeatedMessage(message, &field, index);
  }
  std::string asString() const {
    return index < 0 ? fields().GetString(message, &field) : fields().GetRepeatedString(message, &field, index);
  }
  int asEnum() const {
    return index < 0 ? fields().GetEnumValue(message, &field) : fields().GetRepeatedEnumValue(message, &field, index);
  }
  uint32_t asUint32() const {
    return index < 0 ? fields().GetUInt32(message, &field) : fields().GetRepeatedUInt32(message, &field, index);
  }
  uint64_t asUint64() const {
    return index < 0 ? fields().GetUInt64(message, &field) : fields().GetRepeatedUInt64(message, &field, index);
  }
  int32_t asInt32() const {
    return index < 0 ? fields().GetInt32(message, &field) : fields().GetRepeatedInt32(message, &field, index);
  }
  int64_t asInt64() const {
    return index < 0 ? fields().GetInt64(message, &field) : fields().GetRepeatedInt64(message, &field, index);
  }
  double asDouble() const {
    return index < 0 ? fields().GetDouble(message, &field) : fields().GetRepeatedDouble(message, &field, index);
  }
  bool asBool() const {
    return index < 0 ? fields().GetBool(message, &field) : fields().GetRepeatedBool(message, &field, index);
  }
};

MaybeViolation checkMessageValue(const Value& value, const FieldRules& rules);

// Rules of one type on a field of another say nothing; descriptors are fixed at build time, so none exist.
MaybeViolation checkValue(const Value& value, const FieldRules& rules) {
  switch (value.field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return value.field.type() == FieldDescriptor::TYPE_BYTES ? checkBytes(value.asString(), rules.bytes())
                                                               : checkString(value.asString(), rules.string());
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = value.asEnum();
      return checkEnum(number, value.field.enum_type()->FindValueByNumber(number) != nullptr, rules.enum_());
    }
    case FieldDescriptor::CPPTYPE_UINT32:
      return checkNumber(value.asUint32(), rules.uint32(), "uint32");
    case FieldDescriptor::CPPTYPE_UINT64:
      return checkNumber(value.asUint64(), rules.uint64(), "uint64");
    case FieldDescriptor::CPPTYPE_INT32:
      return checkNumber(value.asInt32(), rules.int32(), "int32");
    case FieldDescriptor::CPPTYPE_INT64:
      return checkNumber(value.asInt64(), rules.int64(), "int64");
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return checkNumber(value.asDouble(), rules.double_(), "double");
    case FieldDescriptor::CPPTYPE_BOOL:
      if (!rules.bool_().has_const_() || value.asBool() == rules.bool_().const_()) return std::nullopt;
      return Violation{absl::StrCat("must be ", rules.bool_().const_() ? "true" : "false"), "bool.const"};
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return checkMessageValue(value, rules);
    case FieldDescriptor::CPPTYPE_FLOAT:
      break;
  }
  return std::nullopt;
}

// Rules on a message field that is set: a Duration's, an Any's, or those of the value in a wrapper.
MaybeViolation checkMessageValue(const Value& value, const FieldRules& rules) {
  if (rules.type_case() == FieldRules::TYPE_NOT_SET) return std::nullopt;
  const Message& inner = value.asMessage();
  if (rules.has_duration()) {
    return checkDuration(static_cast<const google::protobuf::Duration&>(inner), rules.duration());
  }
  if (rules.has_any()) return std::nullopt;  // presence is checked where the field is
  const FieldDescriptor* wrapped = inner.GetDescriptor()->FindFieldByName("value");
  return wrapped == nullptr ? std::nullopt : checkValue({inner, *wrapped}, rules);
}

bool isRequired(const FieldRules& rules) {
  return rules.message().required() || rules.duration().required() || rules.any().required();
}

bool isTypedExtension(const Descriptor& type) {
  return type.full_name() == "envoy.config.core.v3.TypedExtensionConfig";
}

class Validator {
 public:
  // `may_be_unknown`: so may the type of an Any directly inside.
  void check(const Message& message, const Context& context, int depth, bool may_be_unknown = false) {
    if (depth > kMaxMessageDepth) {
      context.error("messages are nested deeper than 200 levels");
      return;
    }
    const Descriptor& type = *message.GetDescriptor();
    if (type.full_name() == "google.protobuf.Any") {
      checkAny(static_cast<const Any&>(message), context, depth);
      return;
    }
    if (&type == Metadata::descriptor()) checkTypedMetadata(static_cast<const Metadata&>(message), context);
    if (&type == Duration::descriptor()) return checkSign(static_cast<const Duration&>(message), context);
    for (int i = 0; i < type.field_count(); ++i) checkField(message, *type.field(i), context);
    for (int i = 0; i < type.real_oneof_decl_count(); ++i) checkOneof(message, *type.oneof_decl(i), context);
    if (isAlternative(type) && isLeftOut(message)) return;
    const FieldDescriptor* optional = type.FindFieldByName("is_optional");
    may_be_unknown |= optional != nullptr && message.GetReflection()->HasField(message, optional);
    forEachSubmessage(message, context, [&](const Message& child, const Context& at) {
      const bool is_any = child.GetDescriptor() == Any::descriptor();
      if (is_any && may_be_unknown && !isKnownType(static_cast<const Any&>(child))) return;
      check(child, at, depth + 1, may_be_unknown && isTypedExtension(*child.GetDescriptor()));
    });
  }

 private:
  static void report(const MaybeViolation& violation, const Context& context) {
    if (violation) refuse(context, violation->message, violation->rule);
  }

  // Envoy takes no negative duration anywhere, whether the rules of a field say so or not.
  static void checkSign(const Duration& duration, const Context& context) {
    if (duration.seconds() >= 0 && duration.nanos() >= 0) return;
    const auto& errors = context.errors().errors();
    const std::string path = context.path();
    if (std::any_of(errors.begin(), errors.end(), [&](const ConfigError& error) { return error.path == path; })) return;
    refuse(context, "is negative; a duration is 0s or longer", "duration.gte");
  }

  // Says nothing of a value that could not be read, which was told already.
  static void refuse(const Context& context, std::string_view message, std::string_view rule) {
    if (context.errors().isUnread(context.path())) return context.errors().addRepeated();
    context.error(message, rule);
  }

  static void checkAny(const Any& any, const Context& context, int depth) {
    if (any.type_url().empty() && any.value().empty()) return;
    const std::unique_ptr<Message> inner = unpackAny(any, context);
    if (inner != nullptr) Validator().check(*inner, context, depth + 1);
  }

  // Whether a field that is not declared was refused in this message: it may be the member of a oneof that seems to
  // miss.
  static bool refusedByName(const Message& message, const Context& context) {
    const std::string prefix = context.path().empty() ? "" : context.path() + ".";
    const auto& errors = context.errors().errors();
    return std::any_of(errors.begin(), errors.end(), [&](const ConfigError& error) {
      if (error.path.size() <= prefix.size() || error.path.compare(0, prefix.size(), prefix) != 0) return false;
      const std::string name = error.path.substr(prefix.size());
      return name.find_first_of(".[") == std::string::npos && message.GetDescriptor()->FindFieldByName(name) == nullptr;
    });
  }

  static void checkOneof(const Message& message, const google::protobuf::OneofDescriptor& oneof,
                         const Context& context) {
    if (!oneof.options().GetExtension(::validate::required)) return;
    if (message.GetReflection()->HasOneof(message, &oneof) || refusedByName(message, context)) return;
    std::string names;
    for (int i = 0; i < oneof.field_count(); ++i) {
      if (context.errors().isUnread(context.child(oneof.field(i)->name()).path())) {
        return context.errors().addRepeated();
      }
      absl::StrAppend(&names, i == 0 ? "" : i + 1 == oneof.field_count() ? " or " : ", ", oneof.field(i)->name());
    }
    refuse(context, absl::StrCat("needs ", oneof.field_count() > 1 ? "one of " : "", names),
           absl::StrCat("oneof ", oneof.name(), " required"));
  }

  static void checkField(const Message& message, const FieldDescriptor& field, const Context& context) {
    const auto& options = field.options();
    const bool has_rules = options.HasExtension(::validate::rules);
    const bool deprecated = options.HasExtension(envoy::annotations::deprecated_at_minor_version);
    if (!has_rules && !deprecated) return;
    const Reflection& fields = *message.GetReflection();
    const bool set = field.is_repeated() ? fields.FieldSize(message, &field) > 0 : fields.HasField(message, &field);
    if (deprecated && set) {
      context.child(field.name()).warn("is deprecated in Envoy's API; it works as it does there");
    }
    if (!has_rules) return;
    const FieldRules& rules = options.GetExtension(::validate::rules);
    if (field.is_map()) {
      checkMap(message, field, rules, context);
    } else if (field.is_repeated()) {
      checkList(message, field, rules, context);
    } else {
      checkSingular(message, field, set, rules, context);
    }
  }

  static void checkSingular(const Message& message, const FieldDescriptor& field, bool set, const FieldRules& rules,
                            const Context& context) {
    if (!set && field.has_presence()) {
      // A member of a oneof is required only in that, once chosen, it has a value.
      if (isRequired(rules) && field.containing_oneof() == nullptr) {
        refuse(context.child(field.name()), "is required and is not set", "required");
      }
      return;
    }
    const MaybeViolation violation = checkValue({message, field}, rules);
    if (violation) report(violation, context.child(field.name()));
  }

  static void checkList(const Message& message, const FieldDescriptor& field, const FieldRules& rules,
                        const Context& context) {
    const ::validate::RepeatedRules& list = rules.repeated();
    const auto size = static_cast<uint64_t>(message.GetReflection()->FieldSize(message, &field));
    if (list.ignore_empty() && size == 0) return;
    checkSize(size, list.has_min_items() ? list.min_items() : 0, list.has_max_items() ? list.max_items() : size,
              "repeated", "items", context.child(field.name()));
    std::unordered_set<std::string> seen;
    for (uint64_t i = 0; i < size; ++i) {
      const Value item{message, field, static_cast<int>(i)};
      if (list.has_items()) report(checkValue(item, list.items()), context.child(field.name(), i));
      if (list.unique() && field.cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
          !seen.insert(item.asString()).second) {
        refuse(context.child(field.name(), i), "is in the list already; remove one", "repeated.unique");
      }
    }
  }

  static void checkMap(const Message& message, const FieldDescriptor& field, const FieldRules& rules,
                       const Context& context) {
    const ::validate::MapRules& map = rules.map();
    const Reflection& fields = *message.GetReflection();
    const auto size = static_cast<uint64_t>(fields.FieldSize(message, &field));
    checkSize(size, map.has_min_pairs() ? map.min_pairs() : 0, map.has_max_pairs() ? map.max_pairs() : size, "map",
              "pairs", context.child(field.name()));
    for (int i = 0; i < static_cast<int>(size); ++i) {
      const Message& pair = fields.GetRepeatedMessage(message, &field, i);
      const Value key{pair, *field.message_type()->map_key()};
      const bool named = key.field.type() == FieldDescriptor::TYPE_STRING;
      const Context at = context.entry(field.name(), named ? key.asString() : "?");
      if (map.has_keys()) report(checkValue(key, map.keys()), at);
      if (map.has_values()) report(checkValue({pair, *field.message_type()->map_value()}, map.values()), at);
    }
  }

  static void checkSize(uint64_t size, uint64_t least, uint64_t most, std::string_view kind, std::string_view unit,
                        const Context& context) {
    if (size < least) {
      if (context.errors().hasUnreadPart(context.path())) return context.errors().addRepeated();
      refuse(context, absl::StrCat("needs at least ", least, least == 1 ? " entry" : " entries", ", has ", size),
             absl::StrCat(std::string(kind), ".min_", std::string(unit), ": ", least));
    }
    if (size > most) {
      refuse(context, absl::StrCat("takes at most ", most, " entries, has ", size),
             absl::StrCat(std::string(kind), ".max_", std::string(unit), ": ", most));
    }
  }
};

}  // namespace

bool validate(const Message& message, const Context& context) {
  const ErrorMark mark(context);
  const size_t repeated_before = context.errors().repeated();
  Validator().check(message, context, 0);
  return !mark.hit() && context.errors().repeated() == repeated_before;
}

}  // namespace sluice::config
