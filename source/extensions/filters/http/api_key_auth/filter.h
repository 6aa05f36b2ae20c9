// Lets requests of clients in that show a key that is known.
// (proto: envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth)
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "source/filter/credentials/key_sources.h"
#include "source/filter/credentials/key_table.h"
#include "source/filter/http_filter.h"
#include "source/observability/stats.h"
#include "source/route/filter_slots.h"
#include "source/stream/metadata.h"

namespace sluice::extensions::http_filters::api_key_auth {

// Whose a key is.
class Client {
 public:
  explicit Client(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  // Made when the key is shown for the first time: most of many never are. Any thread.
  const std::shared_ptr<const stream::MetadataFields>& identity() const;

 private:
  const std::string name_;
  mutable std::once_flag made_;
  mutable std::shared_ptr<const stream::MetadataFields> identity_;
};

class Credentials {
 public:
  // False: the key is there.
  bool add(std::string_view key, std::string client);
  // Null: nobody's.
  const Client* find(std::string_view key) const;
  bool empty() const { return clients_.empty(); }

 private:
  filter::KeyTable<uint32_t> by_key_;  // their places below
  std::deque<Client> clients_;
};

struct Forwarding {
  std::string header;  // lower case; empty: the client is not told
  bool hide_credentials = false;
};

// Of the filter or of a route, whose parts count where they are set.
struct Policy {
  Credentials credentials;
  std::vector<filter::KeySource> key_sources;
  std::optional<Forwarding> forwarding;
  absl::flat_hash_set<std::string> allowed_clients;  // of a route; empty: all
};

// Compiled configuration; immutable, shared by all streams and workers.
struct Settings {
  Policy policy;
  observability::Counter allowed, unauthorized, forbidden;
};

using RouteSettings = route::RouteSettings<Policy>;

class Filter : public filter::HttpFilter {
 public:
  explicit Filter(const Settings& settings) : settings_(settings) {}

  filter::HookResult onRequestHeaders(http::RequestHeaders& headers, filter::Context& context) override;

 private:
  filter::Reply unauthorized(filter::Context& context, std::string_view details) const;

  const Settings& settings_;
};

using FilterFactory = filter::Factory<Filter, Settings>;

}  // namespace sluice::extensions::http_filters::api_key_auth
