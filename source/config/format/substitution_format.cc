#include "source/config/format/substitution_format.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "source/base/text.h"
#include "source/config/format/formatter_extensions.h"
#include "source/config/format/typed_metadata.h"
#include "source/config/stable_bytes.h"

namespace sluice::config {
namespace {

using envoy::config::core::v3::DataSource;
using envoy::config::core::v3::SubstitutionFormatString;

stream::MetadataValue valueOf(const google::protobuf::Value& value) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kBoolValue:
      return {value.bool_value()};
    case google::protobuf::Value::kNumberValue:
      return {value.number_value()};
    case google::protobuf::Value::kStringValue:
      return {value.string_value()};
    case google::protobuf::Value::kStructValue:
      return {fieldsOf(value.struct_value())};
    case google::protobuf::Value::kListValue: {
      stream::MetadataList list;
      for (const google::protobuf::Value& item : value.list_value().values()) list.push_back(valueOf(item));
      return {std::move(list)};
    }
    default:
      return {};
  }
}

absl::StatusOr<std::string> readFile(const std::string& path, size_t max_bytes) {
  std::ifstream in(path, std::ios::binary);
  std::string out(max_bytes + 1, '\0');
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (!in.eof() && in.fail()) return absl::InvalidArgumentError(base::strCat("cannot read file '", path, "'"));
  out.resize(static_cast<size_t>(in.gcount()));
  if (out.size() > max_bytes) {
    return absl::InvalidArgumentError(base::strCat("file '", path, "' has more than ", max_bytes, " bytes"));
  }
  return out;
}

// `status` with the field in front.
absl::Status inField(std::string_view field, const absl::Status& status) {
  return absl::Status(status.code(), base::toAbsl(base::strCat(field, ": ", base::toStd(status.message()))));
}

}  // namespace

stream::MetadataFields fieldsOf(const google::protobuf::Struct& value) {
  stream::MetadataFields out;
  for (const auto& [key, field] : value.fields()) out.push_back({key, valueOf(field)});
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

stream::FixedMetadata metadataOf(const envoy::config::core::v3::Metadata& metadata) {
  if (metadata.filter_metadata().empty() && metadata.typed_filter_metadata().empty()) return {};
  stream::MetadataFields by_filter;
  for (const auto& [filter, fields] : metadata.filter_metadata()) by_filter.push_back({filter, {fieldsOf(fields)}});
  addTypedMetadata(metadata, by_filter);
  return {std::move(by_filter), stableBytes(metadata)};
}

absl::StatusOr<std::string> readDataSource(const DataSource& source, size_t max_bytes) {
  if (source.has_watched_directory()) {
    return absl::InvalidArgumentError(base::strCat("watched_directory: ", kReadOnce));
  }
  switch (source.specifier_case()) {
    case DataSource::kInlineString:
      return source.inline_string();
    case DataSource::kInlineBytes:
      return source.inline_bytes();
    case DataSource::kFilename: {
      absl::StatusOr<std::string> content = readFile(source.filename(), max_bytes);
      if (!content.ok()) return inField("filename", content.status());
      return content;
    }
    case DataSource::kEnvironmentVariable: {
      const char* value = std::getenv(source.environment_variable().c_str());
      if (value == nullptr) {
        return absl::InvalidArgumentError(
            base::strCat("environment_variable: '", source.environment_variable(), "' is not set"));
      }
      return std::string(value);
    }
    case DataSource::SPECIFIER_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("one of inline_string, inline_bytes, filename, environment_variable is needed");
}

void warnOfContentType(const SubstitutionFormatString& format, const Context& context) {
  if (format.content_type().empty()) return;
  context.child("content_type").warn("not used: it is about bodies of answers, and lines of a log have no type");
}

absl::StatusOr<FormatterPtr> compileFormat(std::string_view text, stream::TextFormatter::Options options) {
  absl::StatusOr<stream::TextFormatter> formatter = stream::TextFormatter::compile(text, options);
  if (!formatter.ok()) return formatter.status();
  return std::make_shared<const stream::TextFormatter>(*std::move(formatter));
}

absl::StatusOr<FormatterPtr> compileFormat(const google::protobuf::Struct& json,
                                           stream::JsonFormatter::Options options) {
  absl::StatusOr<stream::JsonFormatter> formatter = stream::JsonFormatter::compile(fieldsOf(json), options);
  if (!formatter.ok()) return formatter.status();
  return std::make_shared<const stream::JsonFormatter>(*std::move(formatter));
}

absl::StatusOr<FormatterPtr> compileFormat(const SubstitutionFormatString& format, stream::Escape escape,
                                           stream::BodyPaths* bodies) {
  const auto named = [](std::string_view field, absl::StatusOr<FormatterPtr> result) -> absl::StatusOr<FormatterPtr> {
    if (!result.ok()) return inField(field, result.status());
    return result;
  };
  if (absl::Status status = checkFormatters(format.formatters()); !status.ok()) return status;
  const stream::TextFormatter::Options text_options{format.omit_empty_values(), escape, bodies};
  switch (format.format_case()) {
    case SubstitutionFormatString::kTextFormat:
      return named("text_format", compileFormat(format.text_format(), text_options));
    case SubstitutionFormatString::kTextFormatSource: {
      const absl::StatusOr<std::string> text = readDataSource(format.text_format_source());
      if (!text.ok()) return inField("text_format_source", text.status());
      return named("text_format_source", compileFormat(*text, text_options));
    }
    case SubstitutionFormatString::kJsonFormat:
      return named("json_format", compileFormat(format.json_format(), {format.omit_empty_values(), true, bodies}));
    case SubstitutionFormatString::FORMAT_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("one of text_format_source, text_format, json_format is needed");
}

absl::StatusOr<stream::BodyFormat> compileBodyFormat(const SubstitutionFormatString& format) {
  absl::StatusOr<FormatterPtr> formatter = compileFormat(format, stream::Escape::kNone);
  if (!formatter.ok()) return formatter.status();
  stream::BodyFormat out{*std::move(formatter)};
  if (!format.content_type().empty()) {
    out.content_type = format.content_type();
  } else if (format.has_json_format()) {
    out.content_type = "application/json";
  }
  return out;
}

}  // namespace sluice::config
