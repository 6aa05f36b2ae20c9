// Compiles envoy.config.core.v3.SubstitutionFormatString: for access loggers, local replies and direct responses.
// Main thread (a format may come from a file, which is read here).
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/core/v3/substitution_format_string.pb.h"
#include "google/protobuf/struct.pb.h"
#include "source/config/errors.h"
#include "source/stream/body_format.h"
#include "source/stream/formatter.h"

namespace sluice::config {

using FormatterPtr = std::shared_ptr<const stream::Formatter>;

// `escape` is for text formats; JSON is always escaped as JSON. `bodies` gets what the format wants of bodies; null: it
// may want nothing of them. Errors begin with the field of the message.
absl::StatusOr<FormatterPtr> compileFormat(const envoy::config::core::v3::SubstitutionFormatString& format,
                                           stream::Escape escape, stream::BodyPaths* bodies = nullptr);
// Says that a format of lines has no type of its content. `context` stands at the format.
void warnOfContentType(const envoy::config::core::v3::SubstitutionFormatString& format, const Context& context);
// A format of bodies: values stand in a text as they are. Its content-type is that of the message, else
// application/json of JSON and text/plain of text.
absl::StatusOr<stream::BodyFormat> compileBodyFormat(const envoy::config::core::v3::SubstitutionFormatString& format);
// A plain text format.
absl::StatusOr<FormatterPtr> compileFormat(std::string_view text, stream::TextFormatter::Options options = {});
absl::StatusOr<FormatterPtr> compileFormat(const google::protobuf::Struct& json,
                                           stream::JsonFormatter::Options options);

// The proto-free twin of a Struct.
stream::MetadataFields fieldsOf(const google::protobuf::Struct& value);

// Typed metadata as far as it means something (typed_metadata.h).
stream::FixedMetadata metadataOf(const envoy::config::core::v3::Metadata& metadata);

// The bytes of a DataSource: inline, from a file of at most `max_bytes`, or from an environment variable.
absl::StatusOr<std::string> readDataSource(const envoy::config::core::v3::DataSource& source,
                                           size_t max_bytes = 1 << 20);

}  // namespace sluice::config
