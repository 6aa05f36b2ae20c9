// Header lists, metadata and filter state as maps of expressions. Used by attributes.cc only. All borrow what they
// show.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "source/http/headers.h"
#include "source/match/cel/value.h"
#include "source/stream/filter_state.h"
#include "source/stream/metadata.h"

namespace sluice::stream {

// By names in any case; several lines of a name are one value, with commas between. Pseudo-headers of a request are
// there, too, and `host` is `:authority`.
class HeaderMap final : public match::cel::Map {
 public:
  HeaderMap(const http::HeaderList& fields, const http::RequestHeaders* request) : fields_(fields), request_(request) {}

  size_t size() const override;
  std::optional<match::cel::Value> find(const match::cel::Value& key, match::cel::Memory& memory) const override;
  match::cel::Value keys(match::cel::Memory& memory) const override;

 private:
  template <typename Visit>
  void eachName(Visit visit) const;
  // All values of a name in one.
  match::cel::Value joined(std::string_view name, match::cel::Memory& memory) const;

  const http::HeaderList& fields_;
  const http::RequestHeaders* const request_;  // null: not of a request
};

class FieldMap final : public match::cel::Map {
 public:
  explicit FieldMap(const MetadataFields& fields) : fields_(fields) {}

  size_t size() const override { return fields_.size(); }
  std::optional<match::cel::Value> find(const match::cel::Value& key, match::cel::Memory& memory) const override;
  match::cel::Value keys(match::cel::Memory& memory) const override;

 private:
  const MetadataFields& fields_;
};

// A Metadata message: filter_metadata, and below it what stands under the name of each filter.
class MetadataMap final : public match::cel::Map {
 public:
  explicit MetadataMap(const MetadataFields& by_filter) : by_filter_(by_filter) {}

  size_t size() const override { return 1; }
  std::optional<match::cel::Value> find(const match::cel::Value& key, match::cel::Memory& memory) const override;
  match::cel::Value keys(match::cel::Memory& memory) const override;

 private:
  const MetadataFields& by_filter_;
};

// Objects as bytes of their text.
class StateMap final : public match::cel::Map {
 public:
  explicit StateMap(const FilterState& state) : state_(state) {}

  size_t size() const override { return state_.size(); }
  std::optional<match::cel::Value> find(const match::cel::Value& key, match::cel::Memory& memory) const override;
  match::cel::Value keys(match::cel::Memory& memory) const override;

 private:
  const FilterState& state_;
};

}  // namespace sluice::stream
