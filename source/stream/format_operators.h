// The command operators of Envoy's substitution formats (%REQ(:PATH)%, %DURATION%, ...): parsed once, read per stream.
// Used by formatter.h only. Immutable after compile(), so any thread may read.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/http/headers.h"
#include "source/stream/body_values.h"
#include "source/stream/format_context.h"
#include "source/stream/metadata.h"
#include "source/stream/time_format.h"

namespace sluice::stream {

// What an operator reads: borrowed from the context, the operator or the scratch.
struct FormatValue {
  enum class Kind : uint8_t { kMissing, kText, kNumber, kStructure, kJson };
  Kind kind = Kind::kMissing;
  std::string_view text;  // kText; kJson: a value as JSON
  uint64_t number = 0;
  const MetadataValue* structure = nullptr;
};

// Room for what is put together on the fly. The bytes are not initialised, on purpose.
struct FormatScratch {
  std::array<char, 1024> bytes;
  MetadataValue made;  // texts that may be longer, and structures
};
static_assert(sizeof(FormatScratch) >= TimeFormat::kMaxSize);

struct HeaderName {
  enum class Pseudo : uint8_t { kNone, kMethod, kPath, kAuthority, kScheme, kStatus };
  std::string lower;
  http::Name id = http::Name::kOther;
  Pseudo pseudo = Pseudo::kNone;
};

// An operator with more to keep than a FormatOperator has members for. Immutable after it was compiled; any thread
// reads.
class ExtendedOperator {
 public:
  virtual ~ExtendedOperator() = default;
  virtual FormatValue read(const FormatContext& context, FormatScratch& scratch) const = 0;
};

class FormatOperator {
 public:
  // `name` without percent signs, `arguments` what stands in the parentheses, `limit` the number behind the colon.
  struct Spelling {
    std::string_view name;
    std::string_view arguments;
    bool has_arguments = false;
    bool has_limit = false;
    size_t limit = std::string_view::npos;
    BodyPaths* bodies = nullptr;  // of its format: gets what is wanted of bodies; null: it may want nothing of them
  };
  static absl::StatusOr<FormatOperator> compile(const Spelling& spelling);

  FormatValue read(const FormatContext& context, FormatScratch& scratch) const {
    return read_(*this, context, scratch);
  }

  // What the arguments were compiled to; which ones are used depends on the operator.
  std::vector<HeaderName> headers;  // tried in turn
  size_t limit = std::string_view::npos;
  TimeFormat time;
  std::string text;                                // a constant, or the filter of metadata
  std::vector<std::string> path;                   // of metadata
  StreamInfo::Offset StreamInfo::*from = nullptr;  // of a duration; null: the start
  StreamInfo::Offset StreamInfo::*to = nullptr;
  uint8_t style = 0;
  std::optional<uint8_t> prefix_length;  // of an address
  std::shared_ptr<const ExtendedOperator> extended;

  using Read = FormatValue (*)(const FormatOperator&, const FormatContext&, FormatScratch&);

 private:
  Read read_ = nullptr;
};

}  // namespace sluice::stream
