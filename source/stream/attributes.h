// What expressions (match/cel) may ask of a stream, by Envoy's names: request.path, source.address, metadata,
// xds.route_name. (docs: "Attributes")
//
// Read lazily from a FormatContext, which is borrowed: no attribute costs anything until an evaluation comes to it. One
// without a value is absent, which select makes an error and has() false. Thread: the worker of the stream.
#pragma once

#include <cstdint>
#include <optional>

#include "source/match/cel/program.h"
#include "source/stream/format_context.h"

namespace sluice::stream {

// The names, and those of Envoy's that have no value here.
const match::cel::Vocabulary& attributeNames();

class Attributes final : public match::cel::Source {
 public:
  explicit Attributes(const FormatContext& context) : context_(context) {}

  std::optional<match::cel::Value> attribute(uint16_t number, match::cel::Memory& memory) const override;

 private:
  const FormatContext& context_;
};

}  // namespace sluice::stream
