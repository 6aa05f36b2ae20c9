// Dynamic metadata of a stream: values that filters leave for later filters, the router and the access log, under the
// name of the filter ("envoy.filters.http.ext_authz"). Proto-free twin of google.protobuf.Struct.
// Thread: the worker of the stream. Owns its text. Made on first use only (see StreamInfo).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "source/base/arena.h"

namespace sluice::stream {

struct MetadataValue;
struct MetadataField;
using MetadataFields = std::vector<MetadataField>;
using MetadataList = std::vector<MetadataValue>;

struct MetadataValue {
  std::variant<std::monostate, bool, double, std::string, MetadataList, MetadataFields> value;
};

struct MetadataField {
  std::string name;
  MetadataValue value;
};

// The value at a path below a filter's name; null if any step is missing.
const MetadataValue* findMetadata(const MetadataFields& by_filter, std::string_view filter,
                                  const std::vector<std::string>& path);

// All that stands under a filter's name; null: nothing, also where `by_filter` is null.
const MetadataFields* fieldsUnder(const MetadataFields* by_filter, std::string_view filter);

// Where metadata of a host says through which proxy it is reached: `address`, an IP address with its port as text.
inline constexpr std::string_view kProxyAddressMetadata = "envoy.http11_proxy_transport_socket.proxy_address";

// Under which filters of authentication say who a request comes from, all in the same words: `method` ("jwt"),
// `subject`, `consumer`, `groups` (a list), `claims` (an object). What is not known is not there.
inline constexpr std::string_view kIdentityMetadata = "sluice.identity";

// What the configuration says about a cluster or a host, under the names of filters. Immutable and shared by threads.
class FixedMetadata {
 public:
  FixedMetadata() = default;  // none
  // `identity`: equal where the content is.
  FixedMetadata(MetadataFields by_filter, std::string identity)
      : content_(std::make_shared<const Content>(Content{std::move(by_filter), std::move(identity)})) {}

  const MetadataFields* fields() const { return content_ ? &content_->by_filter : nullptr; }
  std::string_view identity() const { return content_ ? std::string_view(content_->identity) : std::string_view(); }
  explicit operator bool() const { return content_ != nullptr; }

  friend bool operator==(const FixedMetadata& a, const FixedMetadata& b) { return a.identity() == b.identity(); }

 private:
  struct Content {
    MetadataFields by_filter;
    std::string identity;
  };
  std::shared_ptr<const Content> content_;
};

// The same of the listener and the filter chain that a connection came by.
struct ListenerMetadata {
  FixedMetadata listener, filter_chain;
};

class DynamicMetadata {
 public:
  DynamicMetadata() = default;
  DynamicMetadata(const DynamicMetadata& other) : filters_(other.fields()) {}
  DynamicMetadata& operator=(const DynamicMetadata&) = delete;
  ~DynamicMetadata() {
    if (first_ != nullptr) forget(first_);
  }

  // Sets `key` under `filter`, replacing what was there.
  void set(std::string_view filter, std::string_view key, MetadataValue value);
  // The same of a text, at a fraction of the cost where nobody ever asks, as is so of most requests. It is kept in
  // `arena`, which outlives this.
  void setText(base::Arena& arena, std::string_view filter, std::string_view key, std::string_view text);
  // Puts `fields` in place of all that stands under `filter`, a static text. Many streams may share them: only where
  // somebody asks are they copied.
  void setShared(base::Arena& arena, std::string_view filter, std::shared_ptr<const MetadataFields> fields);
  // All of a filter; null if there is nothing.
  const MetadataValue* find(std::string_view filter) const;
  // One value, by its path below the filter; null if any step is missing.
  const MetadataValue* find(std::string_view filter, const std::vector<std::string>& path) const;
  // All of all filters, under their names.
  const MetadataFields& fields() const {
    if (first_ != nullptr) settle();
    return filters_;
  }

 private:
  // What nobody has asked for yet: a text, or with `shared` all of a filter.
  struct Waiting {
    std::string_view filter, key, text;
    std::shared_ptr<const MetadataFields> shared;
    Waiting* next = nullptr;
  };

  void add(base::Arena& arena, Waiting waiting);
  static void forget(Waiting* first);

  void settle() const;
  static void put(MetadataFields& filters, std::string_view filter, std::string_view key, MetadataValue value);

  mutable MetadataFields filters_;
  mutable Waiting* first_ = nullptr;  // in the arena
  mutable Waiting* last_ = nullptr;
};

}  // namespace sluice::stream
